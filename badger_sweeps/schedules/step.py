"""A learning rate that drops at regular intervals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from badger_sweeps.core.settings import Count, settings
from badger_sweeps.schedules.base import Schedule


@settings
class Step(Schedule):
    """drop^(number of whole intervals of `every` iterations): `torch.optim.lr_scheduler.StepLR`."""

    every: Count = 1000
    drop: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.1

    def factor(self, iteration: int) -> float:
        return float(self.drop ** (iteration // self.every))
