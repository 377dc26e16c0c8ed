"""Gradient surgery: removes from each gradient the projection on others that conflict with it (Yu et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import settings


@settings
class PCGrad(GramianAggregator):
    """(1/D) * sum_d of g_d less its projections on those other gradients, in random order, that point against it.

    Algorithm 1 of Yu et al. 2020 (arXiv 2001.06782), by TorchJD, divided by D: the paper's sum is D times the mean
    where nothing conflicts. The order is drawn anew at every iteration, from the member's random stream.
    """

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import PCGradWeighting  # a late import, since it takes seconds

        method = PCGradWeighting()

        def weights(gramian: Tensor) -> Tensor:
            # TorchJD draws the order from torch's global generator, whose state is restored afterwards.
            seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                found: Tensor = method(gramian)
            return found / dims

        return weights
