"""The mean absolute error, normalised: 2 * mean_d |g_d - y_d| on the Guessing Game."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.losses.base import Loss


@settings
class MeanAbsoluteError(Loss):
    """The document's alternative loss. "All outputs equal to the mean" has the loss 1 - 2/(3D), between two levels."""

    order: ClassVar[int] = 1

    def deviation(self, difference: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return difference.abs()
