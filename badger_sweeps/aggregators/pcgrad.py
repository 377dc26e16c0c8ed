"""Gradient surgery: of each gradient what conflicts with another one is projected away (Yu et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from badger_sweeps.aggregators.base import GramianAggregator, Weighting
from badger_sweeps.core.settings import settings


@settings
class PCGrad(GramianAggregator):
    """(1/D) * sum_d of g_d less its projections on those other gradients, in random order, that point against it.

    Algorithm 1 of Yu et al. 2020 (arXiv 2001.06782), by TorchJD, divided by D: the paper's sum is D times the mean
    where nothing conflicts. The order is drawn anew at every iteration, from the member's own stream.
    """

    def weighting(self, dims: int, generator: torch.Generator) -> Weighting:
        from torchjd.aggregation import PCGradWeighting  # seconds, which only who uses it waits for

        method = PCGradWeighting()

        def weights(gramian: Tensor) -> Tensor:
            # TorchJD draws the order from torch's global stream, which is lent to it and given back as it was.
            seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                found: Tensor = method(gramian)
            return found / dims

        return weights
