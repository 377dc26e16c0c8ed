"""Stochastic gradient descent with momentum (Polyak 1964)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.optimizers.base import Decay, Optimizer, Rate, without_compiler


@settings
class SGD(Optimizer):
    """`torch.optim.SGD`; with momentum 0 plain gradient descent."""

    lr: Rate = 0.1
    momentum: Decay = 0.9

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return without_compiler(torch.optim.SGD)(parameters, lr=self.lr, momentum=self.momentum, fused=True)
