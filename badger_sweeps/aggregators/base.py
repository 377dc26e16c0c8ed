"""The interface of an aggregator: one gradient from those of the task's dimensions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.random_streams import RandomStreams

Weighting = Callable[[Tensor], Tensor]
"""A function from the Gramian (D x D) of a member's gradients to their weights (D) in the sum."""


class Aggregator(ABC):
    """Combines each member's gradients g_d, d = 1..D, of its mean loss in each dimension, into one gradient.

    The scale is that of the mean over dimensions, which is the gradient of the outer loss: if no two gradients
    conflict, PCGrad and UPGrad return the mean itself, and CAGrad up to 1 + c times it. MGDA returns the shortest
    combination with weights of sum 1.

    Attributes:
        by_dimension: whether the g_d are needed one by one. If not, only the gradient of the outer loss is computed, by
            a single backward pass.
        library: the optional library that it needs; None if it needs none.
    """

    by_dimension: ClassVar[bool] = True
    library: ClassVar[str | None] = None

    @abstractmethod
    def combine(
        self, gradients: Float[Tensor, "cotangent population weight"], streams: RandomStreams
    ) -> Float[Tensor, "population weight"]:
        """The one gradient of each member; NaN for a member with a gradient that is not finite.

        Args:
            gradients: the g_d; or the gradient of the outer loss alone, if `by_dimension` is false.
            streams: each member's random stream, for aggregators that draw.
        """


class GramianAggregator(Aggregator):
    """A weighted sum of the g_d, whose weights are a function of their inner products, computed by TorchJD.

    Weights are computed for each member separately, from its D x D Gramian in float64; the sum is computed for all
    members at once. The methods do not depend on the gradients' scale, but TorchJD's absolute thresholds would treat
    the small gradients of a plateau as zero: the Gramian is therefore divided by its trace.
    """

    @abstractmethod
    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        """The method for one member; it draws from `generator`, the member's random stream."""

    def combine(
        self, gradients: Float[Tensor, "cotangent population weight"], streams: RandomStreams
    ) -> Float[Tensor, "population weight"]:
        members = gradients.movedim(1, 0)
        doubles = members.double()
        gramians = (doubles @ doubles.mT).cpu()
        weights = torch.full(gramians.shape[:2], torch.nan, dtype=torch.float64)
        for member, gramian in enumerate(gramians):
            size = gramian.trace()
            if gramian.isfinite().all() and size > 0:
                weights[member] = self.weighting(len(gramian), streams[member])(gramian / size)
            elif size == 0:  # any sum of zeros is zero
                weights[member] = 0
        combined: Tensor = (weights.to(members)[:, None] @ members)[:, 0]
        return combined
