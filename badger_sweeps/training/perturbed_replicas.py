"""Twin runs: the same games in the same order, from weights that differ by a little."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, stream
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

PERTURBATION = 1e-5
"""Relative to the length of a member's weights, which are in float32: it holds 1e-7 of them."""


class Twins(NamedTuple):
    """How far apart twins are."""

    distance: Float[Tensor, "population iteration"]
    """Euclidean distance of their weights before each iteration; the first is that of the perturbation."""
    length: Float[Tensor, " population"]
    """Euclidean length of a member's weights at the start."""


def perturbed_replicas(
    experiment: Experiment, state: Mapping[str, Any], iterations: int, perturbation: float = PERTURBATION
) -> Twins:
    """Train a population and its twin from one state on.

    Args:
        experiment: whose population it is.
        state: a `Population.state_dict`; optimiser and random streams are part of it, so both see the same games.
        iterations: to train for, past the experiment's budget if need be.
        perturbation: length of what is added to one twin's weights, in a random direction, relative to theirs.
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
        direction = torch.randn(one.parameters.flat.shape[1], generator=stream(seed, Purpose.MEASURES))
        step = direction / direction.norm() * perturbation * float(length[member])
        other.parameters.flat[member] += step.to(other.device)
    distances = [_distance(one, other)]
    for _ in islice(zip(train(one), train(other), strict=False), iterations - 1):
        distances.append(_distance(one, other))
    return Twins(torch.stack(distances, dim=1), length)


def _distance(one: Population, other: Population) -> Float[Tensor, " population"]:
    apart: Tensor = (one.parameters.flat.double() - other.parameters.flat.double()).norm(dim=1)
    return apart
