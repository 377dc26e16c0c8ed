"""What an architecture is: how a learner starts, and what one inner step does to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters, State


class Observation(NamedTuple):
    """What the environment shows a learner at one inner step."""

    error: Float[Tensor, "population game"]
    """The normalised error of the latest guess by the feedback's loss: all that a meta-learner is told."""
    guess: Float[Tensor, "population game dim"]
    """The latest guess itself, for learners that read it."""
    inputs: Float[Tensor, "population game dim input"]
    """What the task tells supervised learners; no meta-learner reads it."""


class Architecture(ABC):
    """A learner, described without its weights: weights and states are passed in and handed back.

    The two `initial_*` methods draw for one member; whoever builds a population stacks the draws. `step` works
    on the whole population at once.

    Attributes:
        single_agent: one learner, not experts on a graph. It needs a topology of one expert.
        supervised: it is told the task's inputs and answers at once. It needs a task that has inputs, and there is no
            inner loop: one inner step.
    """

    single_agent: ClassVar[bool] = False
    supervised: ClassVar[bool] = False

    @abstractmethod
    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        """One member's weights at the start, by name.

        Args:
            dims: how many numbers are to be guessed.
            inputs: how many numbers the task tells a supervised learner with each of them.
            experts: how many there are, for weights that belong to single ones or to their links.
            generator: the member's stream for weights.
        """

    @abstractmethod
    def initial_state(self, games: int, experts: int, generator: torch.Generator) -> State:
        """One member's state before the first inner step of a batch of games."""

    @abstractmethod
    def step(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        state: State,
        observation: Observation,
    ) -> tuple[State, Float[Tensor, "population game expert dim"]]:
        """One inner step: the next state, and every expert's output."""

    @abstractmethod
    def outputs(self, parameters: Parameters, state: State) -> Float[Tensor, "population game expert dim"]:
        """Every expert's output in a state that `step` gave; of the state it reads `h` alone.

        Raises:
            KeyError: the architecture is supervised and keeps no state.
        """

    def at(self, iteration: int) -> Architecture:
        """The architecture frozen as it is at one outer iteration; itself, unless something in it is annealed."""
        return self

    def annealed(self) -> Mapping[str, float]:
        """The settings that `at` changes, by name, for the record. The names do not depend on the iteration."""
        return {}
