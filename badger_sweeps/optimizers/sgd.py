"""Stochastic gradient descent, with optional momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from badger_sweeps.foundations.settings import NonNegative, settings
from badger_sweeps.optimizers.base import Optimizer


@settings
class SGD(Optimizer):
    """`torch.optim.SGD`."""

    lr: NonNegative = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, foreach=True)
