"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

from badger_sweeps.core.settings import Count, NonNegative, Positive, settings
from badger_sweeps.optimizers.base import Decay, Optimizer, Rate


@settings
class SOAP(Optimizer):
    """`pytorch_optimizer.SOAP` for each member: decay rates `beta1`, `beta2` of the moments in the rotated basis.

    Matrices are rotated on both sides; vectors are updated as by Adam. The first iteration only
    initialises the preconditioner, and changes no weights.

    Args:
        every: iterations between updates of the basis, by one power iteration and a QR decomposition.
    """

    elementwise: ClassVar[bool] = False

    lr: Rate = 3e-3
    beta1: Decay = 0.95
    beta2: Decay = 0.95
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    every: Count = 10

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        from pytorch_optimizer.optimizer.soap import SOAP as ExternalSOAP  # a late import, since it takes a second

        return ExternalSOAP(
            list(parameters),
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            precondition_frequency=self.every,
        )
