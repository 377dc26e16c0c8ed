"""The interface of a loss: a deviation, divided by the expected deviation of the guess zero."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.tasks.base import Task


class Loss(ABC):
    """The normalised error |guess - target|^order / E|target|^order, the expectation taken over dimensions too.

    Its mean over dimensions is exactly 1 for the guess zero ("chance"). If all dimensions have one distribution, as on
    the Guessing Game, it is 1 in each of them, and (D - k)/D with k of D solved, for either loss: both have the same
    staircase.
    """

    order: ClassVar[int]

    @abstractmethod
    def deviation(self, difference: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """|difference|^order."""

    def error(
        self, guess: Float[Tensor, "*guesses dim"], target: Float[Tensor, "*targets dim"], task: Task
    ) -> Float[Tensor, "*guesses dim"]:
        """The normalised error of each dimension (chance = 1), for one or more guesses of each target."""
        return self.deviation(guess - target) / task.absolute_moment(self.order)
