"""RMSprop (Tieleman & Hinton 2012)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from badger_sweeps.core.settings import Positive, settings
from badger_sweeps.optimizers.base import Decay, Optimizer, Rate, without_compiler


@settings
class RMSprop(Optimizer):
    """`torch.optim.RMSprop` with decay rate `alpha` of the mean square and optional momentum."""

    lr: Rate = 1e-3
    alpha: Decay = 0.99
    eps: Positive = 1e-8
    momentum: Decay = 0.0

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return without_compiler(torch.optim.RMSprop)(
            parameters, lr=self.lr, alpha=self.alpha, eps=self.eps, momentum=self.momentum
        )
