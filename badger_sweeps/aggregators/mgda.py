"""The shortest vector in the convex hull of the gradients (Desideri 2012, Sener & Koltun 2018)."""

from __future__ import annotations

import torch

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import Count, Positive, settings


@settings
class MGDA(GramianAggregator):
    """sum_d w_d g_d of minimal norm over w_d >= 0 with sum 1, by Frank-Wolfe, as TorchJD does it.

    It descends in all dimensions alike, as fast as the one with the shortest gradient allows: the step is short where
    any dimension is at rest.

    Args:
        epsilon: Frank-Wolfe ends when its step is below this.
        max_iters: or after so many steps.
    """

    epsilon: Positive = 0.001
    max_iters: Count = 100

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import MGDAWeighting  # seconds, which only who uses it waits for

        method: Weighting = MGDAWeighting(self.epsilon, self.max_iters)
        return method
