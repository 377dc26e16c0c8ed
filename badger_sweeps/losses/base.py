"""What a loss is: a deviation, divided by what guessing zero costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.tasks.base import Task


class Loss(ABC):
    """The normalised error |guess - target|^order / E|target|^order.

    Its expectation for the guess zero ("chance") is exactly 1 in every dimension, so its mean over D dimensions
    of which k are solved is (D - k)/D whichever loss it is: both losses walk down the same ladder.
    """

    order: ClassVar[int]

    @abstractmethod
    def deviation(self, difference: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """|difference|^order."""

    def error(
        self, guess: Float[Tensor, "*guesses dim"], target: Float[Tensor, "*targets dim"], task: Task
    ) -> Float[Tensor, "*guesses dim"]:
        """The normalised error of each dimension (chance = 1), for one or more guesses at each target."""
        return self.deviation(guess - target) / task.absolute_moment(self.order)

    def chance_variance(self, task: Task) -> float:
        """Variance over targets of one dimension's normalised error at the guess zero.

        0.8 for squares and 1/3 for absolute values of U[-1, 1] targets. The mean over D independent dimensions
        and B games then has variance ``chance_variance * (D - k) / (D**2 * B)`` when k dimensions are solved.
        """
        return task.absolute_moment(2 * self.order) / task.absolute_moment(self.order) ** 2 - 1
