"""The mean over dimensions: plain gradient descent on the outer loss."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.aggregators.base import Aggregator
from badger_sweeps.core.random_streams import RandomStreams
from badger_sweeps.core.settings import settings


@settings
class MeanGradient(Aggregator):
    """(1/D) * sum_d g_d, computed as the gradient of the mean loss."""

    by_dimension: ClassVar[bool] = False

    def combine(
        self, gradients: Float[Tensor, "cotangent population weight"], streams: RandomStreams
    ) -> Float[Tensor, "population weight"]:
        return gradients[0]
