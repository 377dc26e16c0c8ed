"""Half a cosine down to a floor, after an optional warm-up (Loshchilov & Hutter 2017)."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from badger_sweeps.core.settings import Count, broken_rule, settings
from badger_sweeps.schedules.base import Schedule


@settings
class Cosine(Schedule):
    """floor + (1 - floor)*(1 + cos(pi*t))/2, with t running from 0 at the end of the warm-up to 1 at `iterations`.

    Args:
        iterations: the iteration at which the factor reaches the floor, where it stays.
        warmup: iterations of linear rise before the cosine: (n + 1)/(warmup + 1) at iteration n.
        floor: the lowest factor.

    Without warm-up it is `torch.optim.lr_scheduler.CosineAnnealingLR`.
    """

    iterations: Count = 2000
    warmup: Annotated[int, Field(ge=0)] = 0
    floor: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _warmup_ends(self) -> Cosine:
        if self.warmup >= self.iterations:
            found = {"warmup": self.warmup, "iterations": self.iterations}
            raise broken_rule("warmup", "must be below {iterations}", **found)
        return self

    def factor(self, iteration: int) -> float:
        if iteration < self.warmup:
            return (iteration + 1) / (self.warmup + 1)
        t = min(1.0, (iteration - self.warmup) / (self.iterations - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * t)) / 2
