"""The inner loop: a batch of games from the first guess to the last."""

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
    """A batch of games for each member: targets, the inputs of supervised learners, and initial states.

    A population axis of length 1 holds games that all members share; they are stored once.
    """

    targets: Float[Tensor, "population game dim"]
    inputs: Float[Tensor, "population game dim input"]
    state: State

    def of(self, members: slice | Int[Tensor, " member"]) -> Games:
        """The games of some members; shared games are returned as they are."""
        if len(self.targets) == 1:
            return self
        state = {name: tensor[members] for name, tensor in self.state.items()}
        return Games(self.targets[members], self.inputs[members], state)

    def first(self, count: int) -> Games:
        """The first `count` games of each member."""
        state = {name: tensor[:, :count] for name, tensor in self.state.items()}
        return Games(self.targets[:, :count], self.inputs[:, :count], state)

    def to(self, dtype: torch.dtype) -> Games:
        """The games in another floating-point type."""
        state = {name: tensor.to(dtype) for name, tensor in self.state.items()}
        return Games(self.targets.to(dtype), self.inputs.to(dtype), state)

    def expanded(self, population: int) -> Games:
        """The games with a population axis of length `population`; shared games are repeated without a copy."""
        if len(self.targets) == population:
            return self
        state = {name: tensor.expand(population, *tensor.shape[1:]) for name, tensor in self.state.items()}
        return Games(self.targets.expand(population, -1, -1), self.inputs.expand(population, -1, -1, -1), state)


class System(NamedTuple):
    """A learner and its task, without weights and graph: all settings of an inner step."""

    architecture: Architecture
    readout: Readout
    task: Task
    loss: Loss
    """The loss whose error training minimises."""
    feedback: Loss
    """The loss whose error the learner reads."""

    def at(self, iteration: int) -> System:
        """The system at one outer iteration: annealed settings have the value of that iteration."""
        return self._replace(architecture=self.architecture.at(iteration))

    def error(
        self, guesses: Float[Tensor, "*guesses dim"], targets: Float[Tensor, "*targets dim"]
    ) -> Float[Tensor, "*guesses dim"]:
        """The normalised error that training minimises, in each dimension (chance = 1)."""
        return self.loss.error(guesses, targets, self.task)

    def observed_error(
        self, guesses: Float[Tensor, "*guesses dim"], targets: Float[Tensor, "*targets dim"]
    ) -> Float[Tensor, "*guesses"]:
        """The feedback on each guess: the normalised error that the learner reads, mean over dimensions."""
        return self.feedback.error(guesses, targets, self.task).mean(dim=-1)

    def step(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        games: Games,
        state: State,
        guess: Float[Tensor, "population game dim"],
    ) -> tuple[State, Float[Tensor, "population game dim"]]:
        """One inner step: the next state and guess of learners that read the error of `guess`.

        Gradients flow through the feedback and through the state.
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
    """The learners' state and guess after each inner step. The guess before the first step is zero; it is left out."""
    guess = torch.zeros_like(games.targets)
    state = games.state
    for _ in range(inner_steps):
        state, guess = system.step(parameters, adjacency, games, state, guess)
        yield state, guess
