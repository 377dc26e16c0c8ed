"""A constant learning rate."""

from __future__ import annotations

from badger_sweeps.core.settings import settings
from badger_sweeps.schedules.base import Schedule


@settings
class Constant(Schedule):
    """Factor 1."""

    def factor(self, iteration: int) -> float:
        return 1.0
