"""One batch of games played from start to end: the inner loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.losses.base import Loss
from badger_sweeps.readouts.base import Readout
from badger_sweeps.tasks.base import Task


class Games(NamedTuple):
    """A batch of games for every member: what is to be guessed or told, and the states the learners start from.

    A population axis of length 1 stands for games that all members share; they are held once, however many play.
    """

    targets: Float[Tensor, "population game dim"]
    inputs: Float[Tensor, "population game dim input"]
    state: State

    def of(self, members: slice | Int[Tensor, " member"]) -> Games:
        """Those of some members; shared games are everybody's."""
        if len(self.targets) == 1:
            return self
        state = {name: tensor[members] for name, tensor in self.state.items()}
        return Games(self.targets[members], self.inputs[members], state)

    def first(self, count: int) -> Games:
        """The first so many of each member."""
        state = {name: tensor[:, :count] for name, tensor in self.state.items()}
        return Games(self.targets[:, :count], self.inputs[:, :count], state)

    def to(self, dtype: torch.dtype) -> Games:
        """In another floating-point type."""
        state = {name: tensor.to(dtype) for name, tensor in self.state.items()}
        return Games(self.targets.to(dtype), self.inputs.to(dtype), state)

    def expanded(self, population: int) -> Games:
        """With a population axis of this length; shared games are repeated without being copied."""
        if len(self.targets) == population:
            return self
        state = {name: tensor.expand(population, *tensor.shape[1:]) for name, tensor in self.state.items()}
        return Games(self.targets.expand(population, -1, -1), self.inputs.expand(population, -1, -1, -1), state)


class System(NamedTuple):
    """A learner and the world it lives in, without weights: what an inner step needs to know."""

    architecture: Architecture
    readout: Readout
    task: Task
    loss: Loss
    """Training minimises its error."""
    feedback: Loss
    """The learner is told its error."""

    def at(self, iteration: int) -> System:
        """The system at one outer iteration, with everything that is annealed frozen as it is then."""
        return self._replace(architecture=self.architecture.at(iteration))

    def error(
        self, guesses: Float[Tensor, "*guesses dim"], targets: Float[Tensor, "*targets dim"]
    ) -> Float[Tensor, "*guesses dim"]:
        """The normalised error that training minimises, in each dimension."""
        return self.loss.error(guesses, targets, self.task)

    def observed_error(
        self, guesses: Float[Tensor, "*guesses dim"], targets: Float[Tensor, "*targets dim"]
    ) -> Float[Tensor, "*guesses"]:
        """The one number that the learner is told of each guess."""
        return self.feedback.error(guesses, targets, self.task).mean(dim=-1)

    def step(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        games: Games,
        state: State,
        guess: Float[Tensor, "population game dim"],
    ) -> tuple[State, Float[Tensor, "population game dim"]]:
        """One inner step: the next state and guess of learners that are told how wrong `guess` is.

        Gradients flow through what the learner is told as well as through its state.
        """
        observation = Observation(self.observed_error(guess, games.targets), guess, games.inputs)
        state, outputs = self.architecture.step(parameters, adjacency, state, observation)
        return state, self.readout.combine(parameters, outputs)


def unroll(
    system: System,
    parameters: Parameters,
    adjacency: Float[Tensor, "population expert expert"],
    games: Games,
    inner_steps: int,
) -> Iterator[tuple[State, Float[Tensor, "population game dim"]]]:
    """The learners' state and guess after each inner step. The first guess, which is not among them, is zero."""
    guess = torch.zeros_like(games.targets)
    state = games.state
    for _ in range(inner_steps):
        state, guess = system.step(parameters, adjacency, games, state, guess)
        yield state, guess
