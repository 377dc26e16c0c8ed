"""What an aggregator is: one gradient out of those of the task's dimensions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.random_streams import Streams

Weighting = Callable[[Tensor], Tensor]
"""From the Gramian of a member's gradients, dimensions by dimensions, the weight of each in the sum."""


class Aggregator(ABC):
    """Makes one gradient of each member's gradients g_d, d = 1..D: those of its mean loss in each dimension.

    The scale is that of the mean over dimensions, which is the gradient of the outer loss: where no two gradients
    conflict, surgery and projections give the mean itself, CAGrad up to 1 + c times it. MGDA's result is the shortest
    that weights of sum 1 can give.

    Attributes:
        by_dimension: whether the g_d are needed one by one. If not, the gradient of the outer loss itself is taken, at
            the cost of a single backward pass.
    """

    by_dimension: ClassVar[bool] = True

    @abstractmethod
    def combine(
        self, gradients: Float[Tensor, "part population weight"], streams: Streams
    ) -> Float[Tensor, "population weight"]:
        """The one gradient of each member; NaN for a member with a gradient that is not finite.

        Args:
            gradients: the parts; one, the gradient of the outer loss, where they are not needed by dimension.
            streams: each member's own, for what is drawn.
        """


class GramianAggregator(Aggregator):
    """A weighted sum of the g_d, whose weights follow from their inner products: a method of TorchJD's.

    Weights are found for each member alone, from its D x D Gramian in float64; the sum is taken for all members at
    once. The methods do not depend on the gradients' scale, but TorchJD's have absolute thresholds, below which the
    small gradients of a plateau would count as none: they are shown the Gramian divided by its trace.
    """

    @abstractmethod
    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        """The method, for one member; what it draws is drawn from the member's stream."""

    def combine(
        self, gradients: Float[Tensor, "part population weight"], streams: Streams
    ) -> Float[Tensor, "population weight"]:
        members = gradients.movedim(1, 0)
        doubles = members.double()
        gramians = (doubles @ doubles.mT).cpu()
        weights = torch.full(gramians.shape[:2], torch.nan, dtype=torch.float64)
        for member, gramian in enumerate(gramians):
            size = gramian.trace()
            if gramian.isfinite().all() and size > 0:
                weights[member] = self.weighting(len(gramian), streams[member])(gramian / size)
            elif size == 0:  # of zeros any sum is zero
                weights[member] = 0
        combined: Tensor = (weights.to(members)[:, None] @ members)[:, 0]
        return combined
