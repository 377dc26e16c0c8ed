"""Conflict-averse gradient descent: near the mean, as good as can be for the dimension that gains least (Liu 2021)."""

from __future__ import annotations

import torch

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.foundations.settings import NonNegative, settings


@settings
class CAGrad(GramianAggregator):
    """The x with |x - g| <= c*|g|, g the mean gradient, that maximises min_d g_d . x (arXiv 2110.14048), by TorchJD.

    A cone program is solved for each member at every iteration, which takes milliseconds.

    Args:
        c: radius of the ball, in norms of the mean gradient. 0 is the mean itself.
    """

    c: NonNegative = 0.5

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import CAGradWeighting  # seconds, which only who uses it waits for

        method: Weighting = CAGradWeighting(self.c)
        return method
