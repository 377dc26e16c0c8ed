"""Search spaces: which parameters are searched, over which values, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from badger_sweeps.core.errors import UsageError

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """The declared part of a search space.

    Attributes:
        distributions: of each parameter, in the order in which values are chosen.
        fixed: values of parameters that the command line fixes, as text; conditions may depend on them.
        conditions: for a parameter that applies only in a part of the space, the parameter on which that depends
            (searched before it, or fixed) and the values for which it applies.
    """

    distributions: Mapping[str, BaseDistribution]
    fixed: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (other, _) in self.conditions.items():
            order = [*self.fixed, *self.distributions]
            if name not in self.distributions:
                raise UsageError(f"`hydra.sweeper.when` must name searched parameters; found {name!r}.")
            if other not in order or (other in self.distributions and order.index(other) >= order.index(name)):
                rule = "must depend on a parameter that is fixed or searched before it"
                raise UsageError(f"`hydra.sweeper.when.{name}` {rule}; found {other!r}.")

    def applies(self, name: str, chosen: Point) -> bool:
        """Whether a parameter applies, given the values chosen before it."""
        if name not in self.conditions:
            return True
        other, values = self.conditions[name]
        if other in chosen:
            return str(chosen[other]) in values
        return other in self.fixed and self.fixed[other] in values

    def check(self, point: Point, where: str) -> dict[str, Any]:
        """The point's values of the parameters that apply, in order.

        Args:
            point: a value for each parameter that applies.
            where: the key that the error names.

        Raises:
            UsageError: a value lies outside its range.
        """
        checked: dict[str, Any] = {}
        for name, distribution in self.distributions.items():
            if not self.applies(name, checked):
                continue
            if not contains(distribution, point[name]):
                raise UsageError(f"`{where}` must lie in the search space; found {name}={point[name]!r}.")
            checked[name] = point[name]
        return checked

    def waiting_trial(self, point: Point) -> FrozenTrial:
        """A waiting trial at a point. A parameter outside the declared space (`custom_search_space`) has one value."""
        distributions = {
            name: self.distributions.get(name, CategoricalDistribution([value])) for name, value in point.items()
        }
        return create_trial(state=TrialState.WAITING, params=dict(point), distributions=distributions)

    def points(self) -> Iterator[dict[str, Any]]:
        """All points of a finite space, the last parameter changing fastest; none of an infinite space."""
        listed = {name: finite_values(distribution) for name, distribution in self.distributions.items()}
        if all(values is not None for values in listed.values()):
            yield from self._completions({}, [(name, values) for name, values in listed.items() if values is not None])

    def _completions(self, chosen: dict[str, Any], rest: list[tuple[str, list[Any]]]) -> Iterator[dict[str, Any]]:
        """All points that have the values in `chosen`."""
        if not rest:
            yield chosen
            return
        (name, values), *later = rest
        if not self.applies(name, chosen):
            yield from self._completions(chosen, later)
            return
        for value in values:
            yield from self._completions({**chosen, name: value}, later)

    def smaller_than(self, limit: int) -> bool:
        """Whether the space is finite and has at most `limit` points."""
        return 0 < sum(1 for _ in islice(self.points(), limit + 1)) <= limit


def finite_values(distribution: BaseDistribution) -> list[Any] | None:
    """All values of a distribution, in order; None if there are infinitely many."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        steps = round((distribution.high - distribution.low) / distribution.step)
        values = distribution.low + distribution.step * np.arange(steps + 1)
        return [
            float(value) for value in values.clip(max=distribution.high)
        ]  # the last one may be rounded up beyond the range
    return [distribution.low] if isinstance(distribution, FloatDistribution) and distribution.single() else None


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value may be sampled from a distribution."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False
