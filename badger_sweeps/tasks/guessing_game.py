"""The Guessing Game: the experts guess D random numbers from one error scalar."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.settings import settings
from badger_sweeps.tasks.base import Questions, Task


@settings
class GuessingGame(Task):
    """Targets y ~ U[-1, 1]^dims, independent between games and dimensions. Source: the document.

    It has no inputs for a supervised learner: only the targets themselves would determine them.
    """

    dims: Annotated[int, Field(ge=1, le=100)] = 4

    @property
    def inputs(self) -> int:
        return 0

    @property
    def parts(self) -> int:
        return self.dims

    def draw(self, games: int, random: RandomBatches) -> Questions:
        targets = random.uniform(games, self.dims) * 2 - 1
        return Questions(targets, targets.new_empty(*targets.shape, 0))

    def absolute_moment(self, order: int) -> float:
        return 1 / (order + 1)

    def game_variance(self, order: int) -> float:
        """The variance of guessing zero: 0.8/D for squares and 1/(3D) for absolute values."""
        return (self.absolute_moment(2 * order) / self.absolute_moment(order) ** 2 - 1) / self.dims
