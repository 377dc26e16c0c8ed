"""The mean squared error, normalised: 3 * mean_d (g_d - y_d)^2 on the Guessing Game."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.losses.base import Loss


@settings
class MeanSquaredError(Loss):
    """The loss of the document. "All outputs equal" has the loss 1 - 1/D, as if one dimension were solved."""

    order: ClassVar[int] = 2

    def deviation(self, difference: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return difference.square()
