"""Sampling a point from any of Optuna's samplers, reproducibly, and never the same point twice."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from badger_sweeps.search.space import Space, contains, finite_values

ATTEMPTS = 10
"""Attempts with the sampler for a point that is new, before as many with random points."""
MOST_POINTS = 10_000
"""Size of the largest space whose untried points are listed when no attempt gave a new one."""
SamplerFactory = Callable[[int | None], BaseSampler]
"""Builds a sampler with this seed; None leaves the sampler its default seed."""


def sampler_seed(seed: int, number: int, attempt: int) -> int:
    """The seed of the sampler for one attempt.

    A trial's parameters thus depend on the search's seed, the trial's number and the trials that exist when they
    are sampled, but not on which process samples them or how often that process was started.
    """
    return int(np.random.SeedSequence(entropy=seed, spawn_key=(number, attempt)).generate_state(1)[0])


def sample_point(
    study: optuna.Study, trial: FrozenTrial, space: Space, build: SamplerFactory, seed: int | None, tried: set[object]
) -> dict[str, Any]:
    """Sample the parameters of a trial that has none or a part of them.

    Args:
        study: the Optuna study that the sampler reads.
        trial: the running trial; parameters that it has stay.
        space: the search space.
        build: builds the sampler.
        seed: the search's seed; None leaves the sampler its own.
        tried: keys of the points that have a trial (`point_key`).
    """
    point: dict[str, Any] = {}
    for attempt in range(2 * ATTEMPTS):
        attempt_seed = None if seed is None else sampler_seed(seed, trial.number, attempt)
        sampler = build(attempt_seed) if attempt < ATTEMPTS else RandomSampler(attempt_seed)
        study.sampler = sampler
        point = _suggest(study, trial, space, sampler)
        if point_key(point) not in tried:
            return point
    untried = []
    if space.smaller_than(MOST_POINTS):
        untried = [
            candidate
            for candidate in space.points()
            if point_key(candidate) not in tried and trial.params.items() <= candidate.items()
        ]
    generator = np.random.default_rng(None if seed is None else sampler_seed(seed, trial.number, 2 * ATTEMPTS + 1))
    return untried[generator.integers(len(untried))] if untried else point


def point_key(point: Mapping[str, Any]) -> object:
    """A hashable key that is the same for equal points only."""
    return frozenset((name, repr(value)) for name, value in point.items())


def _suggest(study: optuna.Study, trial: FrozenTrial, space: Space, sampler: BaseSampler) -> dict[str, Any]:
    """The point that `Trial.suggest_*` would give, parameter after parameter, without storing it."""
    sampler.before_trial(study, trial)
    relative_space = sampler.infer_relative_search_space(study, trial)
    relative = sampler.sample_relative(study, trial, relative_space)
    point: dict[str, Any] = {}
    trial = copy.copy(trial)  # gets each parameter as it is sampled: some samplers read those sampled before
    for name, distribution in space.distributions.items():
        if not space.applies(name, point):
            continue
        if name in trial.params:
            point[name] = trial.params[name]
        elif distribution.single():
            values = finite_values(distribution)
            assert values is not None
            point[name] = values[0]
        elif name in relative and contains(distribution, relative[name]):
            point[name] = relative[name]
        else:
            point[name] = sampler.sample_independent(study, trial, name, distribution)
        if isinstance(distribution, CategoricalDistribution):  # some samplers give strings and numbers of numpy's types
            point[name] = distribution.choices[int(distribution.to_internal_repr(point[name]))]
        trial.params = {**trial.params, name: point[name]}
        trial.distributions = {**trial.distributions, name: distribution}
    return point
