"""Each gradient projected onto the cone of directions that conflict with none, then their mean (Quinton & Rey 2024)."""

from __future__ import annotations

import torch

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import settings


@settings
class UPGrad(GramianAggregator):
    """The mean of the g_d, each projected onto {x : g_j . x >= 0 for all j} (arXiv 2406.16232), by TorchJD.

    To first order no dimension's loss rises.
    """

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import UPGradWeighting  # a late import, since it takes seconds

        from badger_sweeps.aggregators.dual_cone import NonNegativeProjector

        method: Weighting = UPGradWeighting(projector=NonNegativeProjector())
        return method
