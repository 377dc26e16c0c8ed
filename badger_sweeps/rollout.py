"""One batch of games played from start to end: the inner loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.foundations.axes import Parameters, State
from badger_sweeps.losses.base import Loss
from badger_sweeps.readouts.base import Readout
from badger_sweeps.tasks.base import Task


class System(NamedTuple):
    """A learner and the world it lives in, without weights: what a rollout needs to know."""

    architecture: Architecture
    readout: Readout
    task: Task
    loss: Loss

    def at(self, iteration: int) -> System:
        """The system at one outer iteration, with everything that is annealed frozen as it is then."""
        return self._replace(architecture=self.architecture.at(iteration))


class Games(NamedTuple):
    """A batch of games for every member: what is to be guessed or told, and the states the learners start from."""

    targets: Float[Tensor, "population game dim"]
    inputs: Float[Tensor, "population game dim input"]
    state: State


def unroll(
    system: System,
    parameters: Parameters,
    mixing: Float[Tensor, "population expert expert"],
    games: Games,
    inner_steps: int,
) -> Iterator[tuple[State, Float[Tensor, "population game dim"]]]:
    """The learners' state and guess after each inner step. The first guess, which is not among them, is zero.

    Gradients flow through the error that the learner reads as well as through its state.
    """
    guess = torch.zeros_like(games.targets)
    state = games.state
    for _ in range(inner_steps):
        error = system.loss.error(guess, games.targets, system.task).mean(dim=-1)
        state, outputs = system.architecture.step(parameters, mixing, state, Observation(error, guess, games.inputs))
        guess = system.readout.combine(parameters, outputs)
        yield state, guess


def rollout(
    system: System,
    parameters: Parameters,
    mixing: Float[Tensor, "population expert expert"],
    games: Games,
    inner_steps: int,
) -> Float[Tensor, "step population game dim"]:
    """The guess after each inner step."""
    return torch.stack([guess for _, guess in unroll(system, parameters, mixing, games, inner_steps)])
