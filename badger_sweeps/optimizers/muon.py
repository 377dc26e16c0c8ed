"""Muon: momentum, orthogonalised by Newton-Schulz iterations (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

from badger_sweeps.core.settings import NonNegative, Positive, settings
from badger_sweeps.optimizers.base import Decay, Optimizer, Rate


@settings
class Muon(Optimizer):
    """`pytorch_optimizer.Muon` for each member's matrices, AdamW with `beta1`, `beta2` for its vectors.

    A matrix with m rows and n columns moves by lr * 0.2 * sqrt(max(m, n)) times its orthogonalised momentum (Moonlight,
    arXiv 2502.16982), about as far as by Adam, so that one learning rate is right for both. The iterations run in
    bfloat16.
    """

    elementwise: ClassVar[bool] = False

    lr: Rate = 1e-3
    momentum: Decay = 0.95
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        from pytorch_optimizer.optimizer.muon import Muon as ExternalMuon  # a late import, since it takes a second

        tensors = list(parameters)
        shared = {"lr": self.lr, "weight_decay": self.weight_decay}
        adam = {"use_muon": False, "betas": (self.beta1, self.beta2), "eps": self.eps, **shared}
        groups = [
            {"params": [tensor for tensor in tensors if tensor.ndim > 1], "use_muon": True, **shared},
            {"params": [tensor for tensor in tensors if tensor.ndim < 2], **adam},
        ]
        filled = [group for group in groups if group["params"]]
        return ExternalMuon(filled, momentum=self.momentum, use_adjusted_lr=True)
