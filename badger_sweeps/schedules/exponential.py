"""A learning rate that decays exponentially."""

from __future__ import annotations

from badger_sweeps.core.settings import Count, settings
from badger_sweeps.schedules.base import Schedule


@settings
class ExponentialDecay(Schedule):
    """2^(-n/half_life) at iteration n: `torch.optim.lr_scheduler.ExponentialLR` with gamma = 2^(-1/half_life)."""

    half_life: Count = 500

    def factor(self, iteration: int) -> float:
        return float(2.0 ** (-iteration / self.half_life))
