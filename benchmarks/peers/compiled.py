"""torch.compile over the reference's whole rollout, backward pass included."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from badger_sweeps.foundations.weights import Weights
from badger_sweeps.rollout import rollout
from benchmarks.workloads import Workload


def prepare(workload: Workload) -> Callable[[], Tensor]:
    """A function that computes the gradients of all members, one row for each."""
    population, games, steps = workload.population, workload.games, workload.size.steps
    system, weights = population.experiment.system, population.parameters

    def loss(flat: Tensor) -> Tensor:
        guesses = rollout(system, Weights(flat, weights.shapes), population.mixing, games, steps)
        return system.loss.error(guesses[-1], games.targets, system.task).mean(dim=(1, 2)).sum()

    compiled = torch.compile(loss, dynamic=False)
    leaf = weights.flat.clone().requires_grad_()
    return lambda: torch.autograd.grad(compiled(leaf), leaf)[0]
