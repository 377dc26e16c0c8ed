"""The Guessing Game: the experts guess D random numbers from one error scalar."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

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

    def draw(self, games: int, generator: torch.Generator) -> Questions:
        targets = torch.rand(games, self.dims, generator=generator, device=generator.device) * 2 - 1
        return Questions(targets, targets.new_empty(games, self.dims, 0))

    def absolute_moment(self, order: int) -> float:
        return 1 / (order + 1)

    def game_variance(self, order: int) -> float:
        """The variance of guessing zero: 0.8/D for squares and 1/(3D) for absolute values."""
        return (self.absolute_moment(2 * order) / self.absolute_moment(order) ** 2 - 1) / self.dims
