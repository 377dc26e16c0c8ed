"""torch.compile over the reference's whole rollout, backward pass included."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from badger_sweeps.core.weights import Weights
from benchmarks.workloads import Workload


def prepare(workload: Workload) -> Callable[[], Tensor]:
    """A function that computes the gradients of all members, one row for each."""
    objective, weights, games = workload.given

    def loss(flat: Tensor) -> Tensor:
        return objective.losses(Weights(flat, weights.shapes), games).mean(dim=(1, 2)).sum()

    compiled = torch.compile(loss, dynamic=False)
    leaf = weights.flat.clone().requires_grad_()
    return lambda: torch.autograd.grad(compiled(leaf), leaf)[0]
