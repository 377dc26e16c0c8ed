"""Conflict-averse gradient descent: near the mean, the best for the dimension that gains least (Liu 2021)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import NonNegative, settings

STATIONARY = 1e-6
"""Relative to the gradients' Frobenius norm: a shorter vector in their convex hull is treated as zero."""


@settings
class CAGrad(GramianAggregator):
    """The x with |x - g| <= c*|g|, g the mean gradient, that maximises min_d g_d . x (arXiv 2110.14048), by TorchJD.

    Every iteration solves a cone program for each member by CVXPY, which takes milliseconds. If the distance of the
    gradients' convex hull from zero is below 1e-6 of their size, no x decreases the loss in all dimensions, and the
    result is the mean. (TorchJD returns zero, already at 1e-4: a single dimension with zero gradient would stop all
    others.)

    Args:
        c: radius of the ball, in norms of the mean gradient. 0 is the mean itself.
    """

    c: NonNegative = 0.5

    library: ClassVar[str | None] = "cvxpy"

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import CAGradWeighting  # a late import, since it takes seconds

        method = CAGradWeighting(self.c, norm_eps=STATIONARY)

        def weights(gramian: Tensor) -> Tensor:
            found: Tensor = method(gramian)
            return found if found.any() else torch.full_like(found, 1 / dims)

        return weights
