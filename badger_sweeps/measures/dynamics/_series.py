"""Series that can be measured: long enough, finite, and varying by more than rounding."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def rounding(values: Float[Tensor, "population time"]) -> Float[Tensor, " population"]:
    """The largest difference between two values of each series that a few roundings in its precision can make."""
    return 8 * torch.finfo(values.dtype).eps * values.abs().amax(dim=1).double()


def can_be_measured(series: Float[Tensor, "population time"], least: int) -> Bool[Tensor, " population"]:
    """Whether each member has `least` values, all finite, that differ by more than rounding."""
    if series.shape[1] < max(least, 1):
        return torch.zeros(series.shape[0], dtype=torch.bool, device=series.device)
    spread = series.amax(dim=1).double() - series.amin(dim=1).double()
    return series.isfinite().all(dim=1) & (spread > rounding(series))
