"""The Guessing Game: think of D numbers; the experts guess them from one error scalar."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.foundations.settings import settings
from badger_sweeps.tasks.base import Task


@settings
class GuessingGame(Task):
    """Targets y ~ U[-1, 1]^dims, independent between games and dimensions. Source: the 2020 study."""

    dims: Annotated[int, Field(ge=1, le=100)] = 4

    def draw_targets(self, games: int, generator: torch.Generator) -> Float[Tensor, "game dim"]:
        return torch.rand(games, self.dims, generator=generator, device=generator.device) * 2 - 1

    def absolute_moment(self, order: int) -> float:
        return 1 / (order + 1)
