"""The interface of a task: a distribution of target vectors, and the moments that normalise an error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches


class Questions(NamedTuple):
    """Batches of games: targets, and the inputs of a supervised learner."""

    targets: Float[Tensor, "batch game dim"]
    inputs: Float[Tensor, "batch game dim input"]
    """They determine the targets; meta-learners never read them. The last axis has length 0 if there are none."""


class Task(ABC):
    """`dims` numbers to guess in each game. A meta-learner reads only the error of its guess."""

    dims: int

    @property
    @abstractmethod
    def inputs(self) -> int:
        """The number of inputs that a supervised learner reads with each target; 0 if the task has none."""

    @property
    @abstractmethod
    def parts(self) -> int:
        """The number of equal parts in which the task can be solved: the levels of its staircase are 1/parts apart."""

    @abstractmethod
    def draw(self, games: int, random: RandomBatches) -> Questions:
        """The games of all batches of `random`."""

    @abstractmethod
    def absolute_moment(self, order: int) -> float:
        """E|y|^order, averaged over the dimensions: the error of the guess zero. The order is 1 or 2."""

    @abstractmethod
    def game_variance(self, order: int) -> float:
        """An upper bound of the variance of one game's normalised error on any level. The order is 1 or 2."""
