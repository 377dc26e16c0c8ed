"""The inner loop: a batch of games from the first guess to the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.losses.base import Loss
from badger_sweeps.readouts.base import Readout
from badger_sweeps.tasks.base import Task


class InitialStates(Mapping[str, Tensor]):
    """The initial states of a batch of games for each member, by name; drawn when they are first read, and then kept.

    The native kernel draws them itself, where it uses them: of a batch that only it plays they are never stored.

    Args:
        architecture: the learner whose states they are (`Architecture.initial_state`).
        experts: number of experts.
        random: the random numbers, of one batch for each member.
        games: number of games of each member; a state does not depend on it.
    """

    def __init__(self, architecture: Architecture, experts: int, random: RandomBatches, games: int) -> None:
        self.architecture, self.experts, self.random, self.games = architecture, experts, random, games

    @cached_property
    def drawn(self) -> State:
        """The states as tensors."""
        return self.architecture.initial_state(self.games, self.experts, self.random)

    @cached_property
    def shapes(self) -> Mapping[str, torch.Size]:
        """By name, the shape of the state of one game."""
        nothing = self.architecture.initial_state(0, self.experts, self.random)
        return {name: tensor.shape[2:] for name, tensor in nothing.items()}

    def of(self, members: slice | Int[Tensor, " member"]) -> InitialStates:
        """The states of some members."""
        return InitialStates(self.architecture, self.experts, self.random.at(members), self.games)

    def first(self, count: int) -> InitialStates:
        """The states of the first `count` games of each member, all of them if there are fewer."""
        return InitialStates(self.architecture, self.experts, self.random, min(count, self.games))

    def __getitem__(self, name: str) -> Tensor:
        return self.drawn[name]

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


class Games(NamedTuple):
    """A batch of games for each member: targets, the inputs of supervised learners, and initial states.

    A population axis of length 1 holds games that all members share; they are stored once.
    """

    targets: Float[Tensor, "population game dim"]
    inputs: Float[Tensor, "population game dim input"]
    state: Mapping[str, Tensor]
    """Tensors by name, or `InitialStates`."""

    @property
    def state_shapes(self) -> Mapping[str, torch.Size]:
        """By name, the shape of the state of one game."""
        if isinstance(self.state, InitialStates):
            return self.state.shapes
        return {name: tensor.shape[2:] for name, tensor in self.state.items()}

    def of(self, members: slice | Int[Tensor, " member"]) -> Games:
        """The games of some members; shared games are returned as they are."""
        if len(self.targets) == 1:
            return self
        if isinstance(self.state, InitialStates):
            return Games(self.targets[members], self.inputs[members], self.state.of(members))
        state = {name: tensor[members] for name, tensor in self.state.items()}
        return Games(self.targets[members], self.inputs[members], state)

    def first(self, count: int) -> Games:
        """The first `count` games of each member, all of them if there are fewer."""
        targets, inputs = self.targets[:, :count], self.inputs[:, :count]
        if isinstance(self.state, InitialStates):
            return Games(targets, inputs, self.state.first(count))
        return Games(targets, inputs, {name: tensor[:, :count] for name, tensor in self.state.items()})

    def to(self, dtype: torch.dtype) -> Games:
        """The games in another floating-point type."""
        state = {name: tensor.to(dtype) for name, tensor in self.state.items()}
        return Games(self.targets.to(dtype), self.inputs.to(dtype), state)

    def expanded(self, population: int) -> Games:
        """The games with a population axis of length `population`; shared games are repeated without a copy."""
        if len(self.targets) == population:
            return self._replace(state=dict(self.state))
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
    state = dict(games.state)
    for _ in range(inner_steps):
        state, guess = system.step(parameters, adjacency, games, state, guess)
        yield state, guess
