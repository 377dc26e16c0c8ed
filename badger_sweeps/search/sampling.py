"""Drawing a trial's parameters from any of Optuna's samplers, reproducibly, and never the same point twice."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from badger_sweeps.search.space import Space, contains, finite

ATTEMPTS = 10
"""Draws of the sampler before a random one is asked for a point that is new."""
MOST_POINTS = 10_000
"""Of a space of so many points at most, those that are left are counted out where no draw gave a new one."""
Sampler = Callable[[int | None], BaseSampler]
"""Builds the sampler, its seed being the number given (None: whatever it takes by default)."""


def seed_of(seed: int, number: int, attempt: int) -> int:
    """The seed of a sampler for one draw.

    A trial's parameters then depend on the study's seed, the trial's number and the trials known when it was drawn,
    and not on which process draws, or how often it was started.
    """
    return int(np.random.SeedSequence(entropy=seed, spawn_key=(number, attempt)).generate_state(1)[0])


def draw(
    study: optuna.Study, trial: FrozenTrial, space: Space, build: Sampler, seed: int | None, taken: set[object]
) -> dict[str, Any]:
    """Parameters for a trial that has none or a part of them.

    Args:
        study: what the sampler looks at.
        trial: the running trial; parameters that it has stay.
        space: what is searched.
        build: makes the sampler.
        seed: of the study's draws; None leaves the sampler its own.
        taken: keys of the points tried already (`key`).
    """
    point: dict[str, Any] = {}
    for attempt in range(2 * ATTEMPTS):
        number = None if seed is None else seed_of(seed, trial.number, attempt)
        sampler = build(number) if attempt < ATTEMPTS else RandomSampler(number)
        study.sampler = sampler
        point = _drawn(study, trial, space, sampler)
        if key(point) not in taken:
            return point
    left = []
    if space.smaller_than(MOST_POINTS):
        left = [own for own in space.points() if key(own) not in taken and trial.params.items() <= own.items()]
    chance = np.random.default_rng(None if seed is None else seed_of(seed, trial.number, 2 * ATTEMPTS + 1))
    return left[chance.integers(len(left))] if left else point


def key(point: Mapping[str, Any]) -> object:
    """What two equal points share."""
    return frozenset((name, repr(value)) for name, value in point.items())


def _drawn(study: optuna.Study, trial: FrozenTrial, space: Space, sampler: BaseSampler) -> dict[str, Any]:
    """What `Trial.suggest_*` would give, parameter after parameter, without storing it."""
    sampler.before_trial(study, trial)
    relative_space = sampler.infer_relative_search_space(study, trial)
    relative = sampler.sample_relative(study, trial, relative_space)
    point: dict[str, Any] = {}
    trial = copy.copy(trial)  # is given each parameter as it is drawn: some samplers look at those chosen before
    for name, distribution in space.distributions.items():
        if not space.applies(name, point):
            continue
        if name in trial.params:
            point[name] = trial.params[name]
        elif distribution.single():
            values = finite(distribution)
            assert values is not None
            point[name] = values[0]
        elif name in relative and contains(distribution, relative[name]):
            point[name] = relative[name]
        else:
            point[name] = sampler.sample_independent(study, trial, name, distribution)
        if isinstance(distribution, CategoricalDistribution):  # some samplers give numpy's own strings and numbers
            point[name] = distribution.choices[int(distribution.to_internal_repr(point[name]))]
        trial.params = {**trial.params, name: point[name]}
        trial.distributions = {**trial.distributions, name: distribution}
    return point
