"""Shampoo: a preconditioner for each axis of each weight (Gupta, Koren & Singer 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

from badger_sweeps.core.settings import Positive, settings
from badger_sweeps.optimizers.base import Optimizer, Rate


@settings
class Shampoo(Optimizer):
    """`pytorch_optimizer.Shampoo` for each member: W <- W - lr * L^(-1/4) G R^(-1/4), L += G G', R += G' G.

    Vectors are multiplied with the inverse square root of their accumulated outer products. L and R are sums, not
    running means, so that steps become shorter as in AdaGrad. Every iteration computes a singular value decomposition
    of every preconditioner.

    Args:
        eps: L and R start at eps times the identity.
    """

    elementwise: ClassVar[bool] = False

    lr: Rate = 0.03
    eps: Positive = 1e-6

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        from pytorch_optimizer.optimizer.shampoo import Shampoo as ExternalShampoo  # late: takes a second

        return ExternalShampoo(list(parameters), lr=self.lr, matrix_eps=self.eps)
