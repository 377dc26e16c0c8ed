"""What an architecture is: how a learner starts, and what one inner step does to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.foundations.axes import Parameters, State


class Observation(NamedTuple):
    """What the environment shows a learner at one inner step."""

    error: Float[Tensor, "population game"]
    """The normalised error of the latest guess, the only feedback there is."""
    guess: Float[Tensor, "population game dim"]
    """The latest guess itself, for learners that read it."""


class Architecture(ABC):
    """A learner, described without its weights: weights and states are passed in and handed back.

    The two `initial_*` methods draw for one member; whoever builds a population stacks the draws. `step` works
    on the whole population at once.
    """

    @abstractmethod
    def initial_parameters(self, dims: int, generator: torch.Generator) -> Parameters:
        """One member's weights at the start, by name, for guesses of `dims` numbers."""

    @abstractmethod
    def initial_state(self, games: int, experts: int, generator: torch.Generator) -> State:
        """One member's state before the first inner step of a batch of games."""

    @abstractmethod
    def step(
        self,
        parameters: Parameters,
        mixing: Float[Tensor, "population expert expert"],
        state: State,
        observation: Observation,
    ) -> tuple[State, Float[Tensor, "population game expert dim"]]:
        """One inner step: the next state, and every expert's output."""
