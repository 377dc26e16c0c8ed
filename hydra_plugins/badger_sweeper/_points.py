"""Points of a search space: those to try first, and those that represent the space before a search begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.space import Space
from hydra_plugins.badger_sweeper._grammar import SearchParameters, parse_parameters, plain_choice

Compose = Callable[[list[str]], DictConfig]
"""Composes the configuration of a job with these overrides, including Hydra's part."""


def warm_starts(parameters: SearchParameters, config: DictConfig, compose: Compose) -> list[dict[str, Any]]:
    """The points of `hydra.sweeper.warm_start`.

    A parameter that a point leaves out has its value from the configuration with the other values.

    Raises:
        UsageError: a point names a parameter that is not searched, or lies outside the space.
    """
    key, distributions = "hydra.sweeper.warm_start", parameters.space.distributions
    points = []
    listed = config.hydra.sweeper.warm_start or []
    if not OmegaConf.is_list(listed) and listed != []:
        raise UsageError(f"`{key}` must be a list of mappings; found {listed!r}.")
    for given in listed:
        if not isinstance(given, DictConfig):
            raise UsageError(f"`{key}` must be a list of mappings; found {given!r} in it.")
        named = {str(name): value for name, value in given.items()}
        unknown = [name for name in named if name not in distributions]
        if unknown:
            raise UsageError(f"`{key}` must name searched parameters; found {unknown[0]!r}.")
        job = compose(parameters.overrides(named)) if named else config
        values = {name: plain_choice(named.get(name, _configured_value(name, job))) for name in distributions}
        point = parameters.space.check(values, key)
        if point not in points:
            points.append(point)
    return points


def representatives(config: DictConfig, compose: Compose) -> Iterator[list[str]]:
    """The overrides of jobs that represent a search: its first points, and each value of each choice.

    The two ends of a range represent it. An error that only a combination of values causes fails that trial later.
    """
    parameters = parse_parameters(config.hydra.sweeper, list(config.hydra.overrides.task))
    space = parameters.space
    points = warm_starts(parameters, config, compose)
    ends = {name: _ends(distribution) for name, distribution in space.distributions.items()}
    firsts = {name: values[0] for name, values in ends.items()}
    points = points or [firsts]
    for name, values in ends.items():
        points += [{**firsts, **points[0], name: value} for value in values]
    yielded: list[list[str]] = []
    for point in points:
        chosen: dict[str, Any] = {}
        for name in space.distributions:
            if space.applies(name, chosen):
                chosen[name] = point.get(name, ends[name][0])
        overrides = parameters.overrides(chosen)
        if overrides not in yielded:
            yielded.append(overrides)
            yield overrides


def covering(config: DictConfig, compose: Compose) -> Iterator[list[str]]:
    """The overrides of a few jobs that together have every value of `representatives` at least once.

    If all of them can be built, so can each value alone. If one cannot, a combination of values may be the reason.
    """
    parameters = parse_parameters(config.hydra.sweeper, list(config.hydra.overrides.task))
    space = parameters.space
    yield from map(parameters.overrides, warm_starts(parameters, config, compose)[:1])
    left = {name: _ends(distribution) for name, distribution in space.distributions.items()}
    progress = True
    while progress:
        chosen: dict[str, Any] = {}
        for name, distribution in space.distributions.items():
            if space.applies(name, chosen):
                dependent = [
                    values for child, (parent, values) in space.conditions.items() if parent == name and left[child]
                ]
                useful = [value for value in _ends(distribution) if any(str(value) in values for values in dependent)]
                chosen[name] = [*left[name], *useful, *_ends(distribution)][0]
        progress = any(value in left[name] for name, value in chosen.items())
        left = {name: [value for value in values if value != chosen.get(name)] for name, values in left.items()}
        if progress:
            yield parameters.overrides(chosen)


def first_point(space: Space) -> dict[str, Any]:
    """The point that has the first value of every parameter."""
    chosen: dict[str, Any] = {}
    for name, distribution in space.distributions.items():
        if space.applies(name, chosen):
            chosen[name] = _ends(distribution)[0]
    return chosen


def _ends(distribution: BaseDistribution) -> list[Any]:
    """All choices, or the two ends of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def _configured_value(name: str, config: DictConfig) -> Any:
    """The value of a key in the configuration, or the choice of a group."""
    key = name.lstrip("+")
    choices = config.hydra.runtime.choices
    return choices[key] if key in choices else OmegaConf.select(config, key)
