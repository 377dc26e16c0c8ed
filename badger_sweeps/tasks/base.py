"""What a task is: a distribution of target vectors, and what sets the scale of an error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Questions(NamedTuple):
    """One batch of one member: what is to be guessed, and what a supervised learner is told beforehand."""

    targets: Float[Tensor, "game dim"]
    inputs: Float[Tensor, "game dim input"]
    """From these the targets follow; meta-learners never see them. No numbers where nothing is told."""


class Task(ABC):
    """Numbers to guess, `dims` of them per game. A meta-learner is only ever told how wrong its guess was."""

    dims: int

    @property
    @abstractmethod
    def inputs(self) -> int:
        """How many numbers a supervised learner is told with each target; 0 where the task tells nothing."""

    @property
    @abstractmethod
    def parts(self) -> int:
        """In how many equal parts the task can be solved: the levels of its staircase are 1/parts apart."""

    @abstractmethod
    def draw(self, games: int, generator: torch.Generator) -> Questions:
        """One batch for one member, drawn from that member's own stream."""

    @abstractmethod
    def absolute_moment(self, order: int) -> float:
        """E|y|^order, averaged over the dimensions: what the guess zero costs, order 1 or 2."""

    @abstractmethod
    def game_variance(self, order: int) -> float:
        """The variance of one game's normalised error, at chance or on a lower level, is at most this; order 1 or 2."""
