"""The reference engine: PyTorch's autograd through the whole rollout. Every architecture, any device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.engines.base import Engine, Gradients, Serving, Trace, check_loss_steps, chosen_steps
from badger_sweeps.engines.captured import replayed
from badger_sweeps.foundations.settings import settings
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.rollout import Games, System, rollout, unroll


@settings
class Reference(Engine):
    """One backward pass serves the whole population: the sum of the members' losses has block-wise gradients.

    On a GPU the rollout and its backward pass are recorded as a CUDA graph at the first iteration and replayed.

    Args:
        threads: PyTorch's threads within an operation. One thread a process and one process a core is the
            fastest way through a sweep; more help a single run on an idle machine a little and slow all
            processes down several times when they share cores.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] = 1

    @property
    def workers(self) -> int:
        return self.threads

    def serving(self, system: System, device: torch.device) -> Serving:
        torch.set_num_threads(self.threads)
        return Serving(self, f"reference engine (PyTorch{', CUDA graph' if device.type == 'cuda' else ''})")

    def gradients(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        loss_steps: int,
    ) -> Gradients:
        check_loss_steps(inner_steps, loss_steps)
        compute = partial(_gradients, inner_steps=inner_steps, loss_steps=loss_steps)
        if mixing.device.type == "cuda":
            return replayed(compute, (inner_steps, loss_steps), system, parameters, mixing, games)
        return compute(system, parameters, mixing, games)

    @torch.no_grad()
    def rollout(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        chosen = chosen_steps(inner_steps, steps)
        guesses, kept = [], {}
        for step, (state, guess) in enumerate(unroll(system, parameters, mixing, games, inner_steps)):
            guesses.append(guess)
            if step in chosen:
                kept[step] = {name: state[name] for name in states}
        traced = {name: torch.stack([kept[step][name] for step in chosen]) for name in states}
        return Trace(torch.stack(guesses), traced)


def _gradients(
    system: System,
    parameters: Weights,
    mixing: Float[Tensor, "population expert expert"],
    games: Games,
    inner_steps: int,
    loss_steps: int,
) -> Gradients:
    leaf = Weights(parameters.flat.detach().requires_grad_(), parameters.shapes)
    guesses = rollout(system, leaf, mixing, games, inner_steps)
    errors = system.loss.error(guesses[-loss_steps:], games.targets, system.task)
    outer_loss = errors.mean(dim=(0, 2, 3))
    (gradients,) = torch.autograd.grad(outer_loss.sum(), leaf.flat)
    loss_dim = errors[-1].detach().mean(dim=1)
    return Gradients(loss_dim.mean(dim=1), loss_dim, Weights(gradients, parameters.shapes))
