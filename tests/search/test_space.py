"""Search spaces: their points by brute force, and what Optuna says of a distribution."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.space import Space, contains, finite_values

CHOICES = st.lists(st.sampled_from(["a", "b", "c", 1, 2, None]), min_size=1, max_size=4, unique=True)
DISCRETE = (
    CHOICES.map(CategoricalDistribution)
    | st.tuples(st.integers(-5, 5), st.integers(0, 4), st.integers(1, 3)).map(
        lambda drawn: IntDistribution(drawn[0], drawn[0] + drawn[1] * drawn[2], step=drawn[2])
    )
    | st.tuples(st.integers(-5, 5), st.integers(0, 3)).map(
        lambda drawn: FloatDistribution(drawn[0], drawn[0] + drawn[1] * 0.25, step=0.25)
    )
)


@st.composite
def parts(draw: st.DrawFn) -> tuple[dict[str, BaseDistribution], dict[str, tuple[str, tuple[str, ...]]]]:
    """Finitely many points: distributions, and conditions of a parameter on one before it."""
    names = [f"p{number}" for number in range(draw(st.integers(0, 4)))]
    distributions = {name: draw(DISCRETE) for name in names}
    conditions = {}
    for position, name in enumerate(names[1:], start=1):
        if draw(st.booleans()):
            other = distributions[names[draw(st.integers(0, position - 1))]]
            values = other.choices if isinstance(other, CategoricalDistribution) else [other.low, other.high]
            kept = draw(st.lists(st.sampled_from(values), min_size=1, unique=True))
            conditions[name] = (next(name for name in names if distributions[name] is other), tuple(map(str, kept)))
    return distributions, conditions


SPACES = parts().map(lambda drawn: (drawn[0], {}, drawn[1]))  # not `Space` itself: its checks draw at random


def by_brute_force(space: Space) -> list[dict[str, Any]]:
    """Every combination of values, less those that do not apply, without those that come twice."""
    values = [finite_values(distribution) or [] for distribution in space.distributions.values()]
    found: list[dict[str, Any]] = []
    for combination in product(*values):
        point: dict[str, Any] = {}
        for name, value in zip(space.distributions, combination, strict=True):
            other, wanted = space.conditions.get(name, (None, ()))
            if other is None or (other in point and str(point[other]) in wanted):
                point[name] = value
        if point not in found:
            found.append(point)
    return found


@given(made=SPACES)
def test_points_are_all_combinations_that_apply_the_last_parameter_changing_fastest(made: Any) -> None:
    space = Space(*made)
    assert list(space.points()) == by_brute_force(space)


@given(made=SPACES, limit=st.integers(0, 60))
def test_a_space_is_smaller_than_a_limit_if_it_has_at_most_so_many_points(made: Any, limit: int) -> None:
    space = Space(*made)
    assert space.smaller_than(limit) == (len(by_brute_force(space)) <= limit)


@given(made=SPACES)
def test_every_point_passes_its_own_check_unchanged(made: Any) -> None:
    space = Space(*made)
    for point in space.points():
        assert space.check({name: point.get(name) for name in space.distributions}, "key") == point


def test_a_space_without_parameters_has_one_point() -> None:
    assert list(Space({}).points()) == [{}]
    assert Space({}).smaller_than(1)


def test_an_interval_has_no_points_to_count() -> None:
    space = Space({"x": IntDistribution(1, 2), "y": FloatDistribution(0, 1)})
    assert list(space.points()) == []
    assert not space.smaller_than(10**6)
    assert list(Space({"y": FloatDistribution(1, 1)}).points()) == [{"y": 1.0}]


@given(low=st.integers(-100, 100), count=st.integers(0, 40), hundredths=st.integers(1, 200))
def test_a_stepped_range_has_its_ends_and_every_step_between(low: int, count: int, hundredths: int) -> None:
    step = Decimal(hundredths) / 100
    exact = [Decimal(low) + number * step for number in range(count + 1)]
    distribution = FloatDistribution(low, float(exact[-1]), step=float(step))
    values = finite_values(distribution)
    # A value is low + k * step in floating point: two roundings, each of half a unit in the last place of at most 500.
    assert values == pytest.approx([float(value) for value in exact], rel=0, abs=2 * 500 * 2**-53)
    assert all(contains(distribution, value) for value in values)


@given(
    distribution=st.sampled_from(
        [FloatDistribution(0, 1), FloatDistribution(0, 1, step=0.25), IntDistribution(0, 8, step=2)]
    ),
    value=st.floats(-2, 10) | st.integers(-2, 10),
)
def test_a_value_is_in_a_range_if_it_is_between_the_ends_and_on_a_step(
    distribution: FloatDistribution | IntDistribution, value: float
) -> None:
    values = finite_values(distribution)
    if values is None:
        assert contains(distribution, value) == (0 <= value <= 1)
    elif isinstance(distribution, IntDistribution):
        assert contains(distribution, value) == (value in values)
    elif value in values:
        assert contains(distribution, value)


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        (FloatDistribution(0, 1), "a"),
        (FloatDistribution(0, 1), None),
        (FloatDistribution(0, 1), float("nan")),
        (FloatDistribution(0, 1, step=0.25), 0.3),
        (IntDistribution(0, 4, step=2), 3),
        (IntDistribution(0, 4), [1]),
        (CategoricalDistribution(["a", 1]), "b"),
        (CategoricalDistribution(["a", "1"]), 1),
    ],
)
def test_what_is_no_value_of_a_distribution_is_told(distribution: BaseDistribution, value: Any) -> None:
    assert not contains(distribution, value)


CONDITIONAL = Space(
    {
        "kind": CategoricalDistribution(["a", "b"]),
        "x": FloatDistribution(0, 1),
        "y": IntDistribution(0, 1),
    },
    {"mode": "fast"},
    {"x": ("kind", ("b",)), "y": ("mode", ("fast", "slow"))},
)


def test_a_condition_on_a_fixed_value_is_settled_at_once() -> None:
    assert CONDITIONAL.applies("y", {})
    assert not Space({"y": IntDistribution(0, 1)}, {"mode": "off"}, {"y": ("mode", ("on",))}).applies("y", {})


def test_a_parameter_that_does_not_apply_need_not_lie_in_its_range() -> None:
    assert CONDITIONAL.check({"kind": "a", "x": None, "y": 1}, "key") == {"kind": "a", "y": 1}
    with pytest.raises(UsageError, match=r"^`key` must lie in the search space; found x=None\.$"):
        CONDITIONAL.check({"kind": "b", "x": None, "y": 1}, "key")


def test_a_condition_on_what_does_not_apply_does_not_hold() -> None:
    chained = Space(
        {name: CategoricalDistribution(["on", "off"]) for name in "abc"}, {}, {"b": ("a", ("on",)), "c": ("b", ("on",))}
    )
    assert list(chained.points()) == [
        {"a": "on", "b": "on", "c": "on"},
        {"a": "on", "b": "on", "c": "off"},
        {"a": "on", "b": "off"},
        {"a": "off"},
    ]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"z": ("x", ("1",))}, "`hydra.sweeper.when` must name searched parameters; found 'z'."),
        ({"x": ("x", ("1",))}, "`hydra.sweeper.when.x` must depend on a parameter that is fixed or searched before it"),
        ({"x": ("y", ("1",))}, "`hydra.sweeper.when.x` must depend on a parameter that is fixed or searched before it"),
        ({"y": ("w", ("1",))}, "`hydra.sweeper.when.y` must depend on a parameter that is fixed or searched before it"),
    ],
)
def test_a_condition_that_can_never_be_settled_is_refused(conditions: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Space({"x": IntDistribution(0, 1), "y": IntDistribution(0, 1)}, {}, conditions)
    assert str(refused.value).startswith(message)
