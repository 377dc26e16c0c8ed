"""The interface of an architecture: a learner's initial weights and state, and one inner step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.core.counter_random import RandomBatches


class Observation(NamedTuple):
    """A learner's input from its environment at one inner step."""

    error: Float[Tensor, "population game"]
    """The feedback: the normalised error of the latest guess, a meta-learner's only information about the targets."""
    guess: Float[Tensor, "population game dim"]
    """The latest guess, for learners that read it."""
    inputs: Float[Tensor, "population game dim input"]
    """The task's inputs for supervised learners; no meta-learner reads them."""


class Architecture(ABC):
    """The settings of a learner, without weights and states, which are arguments and results of its methods.

    `initial_parameters` draws for one member, and the caller stacks the members. `initial_state` and `step` compute the
    whole population at once.

    Attributes:
        single_agent: whether it is one learner without experts. It requires a topology of one expert.
        supervised: whether it reads the task's inputs and guesses once. It requires a task with inputs, and one inner
            step.
    """

    single_agent: ClassVar[bool] = False
    supervised: ClassVar[bool] = False

    @abstractmethod
    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        """One member's initial weights, by name.

        Args:
            dims: number of targets in a game.
            inputs: number of the task's inputs for each target.
            experts: number of experts, for weights that belong to single experts or to edges of the graph.
            generator: the member's random stream for weights.
        """

    @abstractmethod
    def initial_state(self, games: int, experts: int, random: RandomBatches) -> State:
        """The state before the first inner step, in all batches of `random`."""

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
        """Every expert's output in a state that `step` returned; of the state it reads `h` alone.

        Raises:
            KeyError: the architecture is supervised and keeps no state.
        """

    def at(self, iteration: int) -> Architecture:
        """The architecture at one outer iteration: annealed settings have the value of that iteration."""
        return self

    def annealed(self) -> Mapping[str, float]:
        """The annealed settings, which `at` changes, by name. The names do not depend on the iteration."""
        return {}
