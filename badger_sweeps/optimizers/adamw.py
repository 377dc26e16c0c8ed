"""Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from badger_sweeps.core.settings import NonNegative, Positive, settings
from badger_sweeps.optimizers.base import Decay, Optimizer, Rate, without_compiler


@settings
class AdamW(Optimizer):
    """`torch.optim.AdamW`: each iteration also shrinks the weights by ``lr * weight_decay`` of themselves."""

    lr: Rate = 1e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.01

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        betas = (self.beta1, self.beta2)
        decay = self.weight_decay
        return without_compiler(torch.optim.AdamW)(parameters, self.lr, betas, self.eps, weight_decay=decay, fused=True)
