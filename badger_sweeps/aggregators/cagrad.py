"""Conflict-averse gradient descent: near the mean, as good as can be for the dimension that gains least (Liu 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import NonNegative, settings

STATIONARY = 1e-6
"""Of the gradients' Frobenius norm: a shorter vector in their convex hull counts as zero."""


@settings
class CAGrad(GramianAggregator):
    """The x with |x - g| <= c*|g|, g the mean gradient, that maximises min_d g_d . x (arXiv 2110.14048), by TorchJD.

    A cone program is solved for each member at every iteration, which takes milliseconds. Where the gradients' convex
    hull comes as near to zero as 1e-6 of their size no x gains in all dimensions, and the mean is taken. (TorchJD stops
    there, already at 1e-4: a single dimension at rest would stop all others.)

    Args:
        c: radius of the ball, in norms of the mean gradient. 0 is the mean itself.
    """

    c: NonNegative = 0.5

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import CAGradWeighting  # seconds, which only who uses it waits for

        method = CAGradWeighting(self.c, norm_eps=STATIONARY)

        def weights(gramian: Tensor) -> Tensor:
            found: Tensor = method(gramian)
            return found if found.any() else torch.full_like(found, 1 / dims)

        return weights
