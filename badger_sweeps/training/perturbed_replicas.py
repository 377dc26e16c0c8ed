"""Perturbed replicas: two runs on the same games in the same order, from weights that differ by a small step."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, random_stream
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

PERTURBATION = 1e-5
"""Length of the step, relative to that of a member's weights. They are in float32, whose resolution is 1e-7."""


class ReplicaDistances(NamedTuple):
    """The distance between two replicas during training."""

    distance: Float[Tensor, "population iteration"]
    """Euclidean distance of their weights before each iteration; the first is the length of the perturbation."""
    length: Float[Tensor, " population"]
    """Euclidean length of a member's weights at the start."""


def perturbed_replicas(
    experiment: Experiment, state: Mapping[str, Any], iterations: int, perturbation: float = PERTURBATION
) -> ReplicaDistances:
    """Train a population twice from one state, the second time from perturbed weights.

    Args:
        experiment: the experiment of the population.
        state: a `Population.state_dict`; its iteration says which games both replicas get.
        iterations: number of iterations to train, if necessary past the experiment's budget.
        perturbation: length of the step that is added to the weights in a random direction, relative to their length.
    """
    longer = replace(experiment.training, iterations=state["iteration"] + iterations)
    pair = []
    for _ in range(2):
        population = Population(replace(experiment, training=longer))
        population.load_state_dict(deepcopy(dict(state)))
        pair.append(population)
    one, other = pair
    length = one.parameters.flat.double().norm(dim=1)
    for member, seed in enumerate(experiment.seeds):
        direction = torch.randn(one.parameters.flat.shape[1], generator=random_stream(seed, Purpose.MEASURES))
        step = direction / direction.norm() * perturbation * float(length[member])
        other.parameters.flat[member] += step.to(other.device)
    distances = [_distance(one, other)]
    for _ in islice(zip(train(one), train(other), strict=False), iterations - 1):
        distances.append(_distance(one, other))
    return ReplicaDistances(torch.stack(distances, dim=1), length)


def _distance(one: Population, other: Population) -> Float[Tensor, " population"]:
    apart: Tensor = (one.parameters.flat.double() - other.parameters.flat.double()).norm(dim=1)
    return apart
