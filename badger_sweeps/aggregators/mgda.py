"""The shortest vector in the convex hull of the gradients (Desideri 2012, Sener & Koltun 2018)."""

from __future__ import annotations

import torch

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import Count, Positive, settings


@settings
class MGDA(GramianAggregator):
    """sum_d w_d g_d of minimal norm over w_d >= 0 with sum 1, by Frank-Wolfe, as TorchJD does it.

    It descends equally in all dimensions, at the rate of the shortest gradient: the step is short if the gradient of
    any dimension is.

    Args:
        epsilon: Frank-Wolfe ends when its step is below this.
        max_iters: most steps of Frank-Wolfe.
    """

    epsilon: Positive = 0.001
    max_iters: Count = 100

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import MGDAWeighting  # a late import, since it takes seconds

        method: Weighting = MGDAWeighting(self.epsilon, self.max_iters)
        return method
