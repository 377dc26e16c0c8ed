"""Adam (Kingma & Ba 2015)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from badger_sweeps.core.settings import Positive, settings
from badger_sweeps.optimizers.base import Decay, Optimizer, Rate, without_compiler


@settings
class Adam(Optimizer):
    """`torch.optim.Adam` with decay rates `beta1` and `beta2` of the two moments."""

    lr: Rate = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Positive = 1e-8

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        return without_compiler(torch.optim.Adam)(
            parameters, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, fused=True
        )
