"""The reference engine: PyTorch's autograd through the whole rollout. Every architecture, any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Engine, Losses, Pullback, ResolvedEngine, Trace, check_cotangents, chosen_steps
from badger_sweeps.engines.cuda_graph import graphed_pullback
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games, System

CHUNK_NUMBERS = 2**24
"""Most numbers in the states of a chunk of members, about: 64 MiB. Temporary tensors take several times as much."""


@settings
class Reference(Engine):
    """Plain PyTorch. One backward pass computes the gradients of all members, since a member's loss depends on its
    weights alone.

    On a GPU the rollout and its backward passes are recorded as a CUDA graph at the first iteration and replayed.

    Args:
        threads: PyTorch's threads within an operation. A sweep is fastest with one thread per process and one process
            per core. More threads speed up a single run on an idle machine a little, and slow all processes down
            several times when they share cores.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] = 1

    @property
    def thread_count(self) -> int:
        return self.threads

    def refusal(self, system: System, device: torch.device) -> str | None:
        return None

    def resolve(self, system: System, device: torch.device) -> ResolvedEngine:
        torch.set_num_threads(self.threads)
        return ResolvedEngine(self, f"reference engine (PyTorch{', CUDA graph' if device.type == 'cuda' else ''})")

    @torch.no_grad()
    def losses(self, objective: OuterObjective, parameters: Weights, games: Games) -> Losses:
        count, dims = games.targets.shape[1:]
        each = count * (dims + sum(shape.numel() for shape in games.state_shapes.values()))
        chunk = max(1, CHUNK_NUMBERS // each)
        found = []
        for start in range(0, len(parameters.flat), chunk):
            members = slice(start, start + chunk)
            weights = Weights(parameters.flat[members], parameters.shapes)
            errors = objective.of(members).errors(weights, games.of(members))
            found.append(Losses(errors.mean(dim=0), errors[-1].mean(dim=1)))
        return Losses(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def pullback(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "cotangent population game dim"] | None = None,
    ) -> Pullback:
        if parameters.flat.device.type == "cuda":
            return graphed_pullback(_pullback, objective, parameters, games, cotangents)
        return _pullback(objective, parameters, games, cotangents)

    @torch.no_grad()
    def rollout(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        chosen = chosen_steps(objective.inner_steps, steps)
        guesses, kept = [], {}
        for step, (state, guess) in enumerate(objective.unroll(parameters, games)):
            guesses.append(guess)
            if step in chosen:
                kept[step] = {name: state[name] for name in states}
        traced = {name: torch.stack([kept[step][name] for step in chosen]) for name in states}
        return Trace(torch.stack(guesses), traced)


def _pullback(
    objective: OuterObjective,
    parameters: Weights,
    games: Games,
    cotangents: Float[Tensor, "cotangent population game dim"] | None,
) -> Pullback:
    leaf = Weights(parameters.flat.detach().requires_grad_(), parameters.shapes)
    errors = objective.errors(leaf, games)
    if cotangents is None:
        mean = errors.new_full((), errors.shape[1] / errors.numel())
        weights = [mean.expand(errors.shape)]
    else:
        check_cotangents(cotangents, errors[0])
        weights = [(cotangent / objective.loss_steps).expand(errors.shape) for cotangent in cotangents]
    last = len(weights) - 1
    gradients = [
        torch.autograd.grad(errors, leaf.flat, weight, retain_graph=number < last)[0]
        for number, weight in enumerate(weights)
    ]
    errors = errors.detach()
    return Pullback(errors.mean(dim=0), errors[-1].mean(dim=1), torch.stack(gradients))
