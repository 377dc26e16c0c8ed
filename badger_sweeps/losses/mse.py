"""The mean squared error, normalised: 3 * mean_d (g_d - y_d)^2 on the Guessing Game."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.losses.base import Loss


@settings
class MeanSquaredError(Loss):
    """The loss of the study. "All outputs equal" costs 1 - 1/D, the same as one solved dimension."""

    order: ClassVar[int] = 2

    def deviation(self, difference: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return difference.square()
