"""Search spaces as they are typed. What an override means to a task is Hydra's to say: its own parser is the oracle."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from badger_sweeps.core.errors import UsageError
from hydra_plugins.badger_sweeper._grammar import SearchParameters, parse_parameters
from tests.search.apps import sweep

AWKWARD = [
    "a b",
    "c,d",
    "it's",
    'say "x"',
    "1",
    "1e3",
    "null",
    "true",
    "[1,2]",
    "a=b",
    "a: b",
    "(x)",
    "é",
    "\\",
    "a\\'",
]
"""Strings that Hydra reads as something else where they are not quoted, or cannot read at all."""
INFINITE = float("inf")
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
STRINGS = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="$"), max_size=8)
ELEMENTS = st.booleans() | NUMBERS | STRINGS | st.lists(st.none() | st.booleans() | NUMBERS | STRINGS, max_size=3)


def searched(*words: str, **sweeper: Any) -> dict[str, BaseDistribution]:
    return dict(parse_parameters(OmegaConf.create(sweeper), list(words)).space.distributions)


def meaning(override: str) -> Any:
    """What Hydra sets a key to; the override must be one value."""
    parsed = OverridesParser.create().parse_override(override)
    assert not parsed.is_sweep_override()
    return parsed.value()


def meanings(found: SearchParameters, name: str) -> list[Any]:
    """What the task is given for each choice of a parameter."""
    distribution = found.space.distributions[name]
    assert isinstance(distribution, CategoricalDistribution)
    return [meaning(found.overrides({name: choice})[0]) for choice in distribution.choices]


def quoted(value: Any) -> str:
    """A value as a careful user types it: strings in quotes."""
    if isinstance(value, str):
        return QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, list):
        return f"[{','.join(map(quoted, value))}]"
    return "null" if value is None else str(value)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("x=1,2,3", CategoricalDistribution([1, 2, 3])),
        ("x=choice(gru,exponential)", CategoricalDistribution(["gru", "exponential"])),
        ("x=choice(0.5,1,true,a)", CategoricalDistribution([0.5, 1, True, "a"])),
        ("x=sort(3,1,2)", CategoricalDistribution([1, 2, 3])),
        ("x=range(1,3)", IntDistribution(1, 3)),
        ("x=range(3)", IntDistribution(0, 3)),
        ("x=range(1,9,4)", IntDistribution(1, 9, step=4)),
        ("x=range(0,1,0.25)", FloatDistribution(0, 1, step=0.25)),
        ("x=float(range(1,3))", FloatDistribution(1, 3, step=1)),
        ("x=interval(0,1)", FloatDistribution(0, 1)),
        ("x=interval(1,1)", FloatDistribution(1, 1)),
        ("x=int(interval(1.2,4.9))", IntDistribution(1, 4)),
        ("x=tag(log,interval(0.001,1))", FloatDistribution(0.001, 1, log=True)),
        ("x=int(tag(log,interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("x=tag(other,interval(0,1))", FloatDistribution(0, 1)),
    ],
)
def test_a_word_says_what_is_searched(word: str, expected: BaseDistribution) -> None:
    assert searched(word) == {"x": expected}


@given(low=st.integers(-50, 50), count=st.integers(0, 30), step=st.integers(1, 9))
def test_a_range_has_its_end(low: int, count: int, step: int) -> None:
    high = low + count * step
    assert searched(f"x=range({low},{high},{step})") == {"x": IntDistribution(low, high, step=step)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"type": "float", "low": 0, "high": 1}, FloatDistribution(0, 1)),
        ({"type": "float", "low": 1, "high": 9, "step": 0.5}, FloatDistribution(1, 9, step=0.5)),
        ({"type": "float", "low": 1, "high": 9, "log": True}, FloatDistribution(1, 9, log=True)),
        ({"type": "int", "low": 1, "high": 9, "step": 2}, IntDistribution(1, 9, step=2)),
        ({"type": "int", "low": 1, "high": 9, "log": True}, IntDistribution(1, 9, log=True)),
        ({"type": "categorical", "choices": [None, True, 1, "a"]}, CategoricalDistribution([None, True, 1, "a"])),
    ],
)
def test_optunas_words_say_the_same_under_both_keys(words: dict[str, Any], expected: BaseDistribution) -> None:
    assert searched(search_space={"x": words}) == searched(params={"x": words}) == {"x": expected}


def test_the_command_line_wins_over_params() -> None:
    params = {"x": "choice(1,2)", "y": "interval(0,1)", "z": "choice(a,b)", "w": 3, "+new": "choice(1,2)"}
    found = parse_parameters(OmegaConf.create({"params": params}), ["y=range(1,2)", "z=c", "v=4", "++new=choice(5,6)"])
    assert found.space.distributions == {
        "x": CategoricalDistribution([1, 2]),
        "y": IntDistribution(1, 2),
        "++new": CategoricalDistribution([5, 6]),
    }
    assert found.fixed == {"z": "c", "w": "3", "v": "4"}
    point = {"x": 2, "y": 1, "++new": 5}
    assert sorted(found.overrides(point)) == sorted(["x=2", "y=1", "z=c", "w=3", "v=4", "++new=5"])


def test_the_last_of_two_words_on_one_key_counts() -> None:
    found = parse_parameters({}, ["x=choice(1,2)", "x=3", "y=3", "y=choice(1,2)"])
    assert (dict(found.fixed), list(found.space.distributions)) == ({"x": "3"}, ["y"])


@pytest.mark.parametrize("key", ["+x", "++x", "group/sub", "group@package", "a.b.c"])
def test_a_key_reaches_the_job_as_it_was_typed(key: str) -> None:
    assert parse_parameters({}, [f"{key}=choice(1,2)"]).overrides({key: 1}) == [f"{key}=1"]


@pytest.mark.parametrize("word", ["~x", "~x=1"])
@pytest.mark.parametrize("declared", ["x", "+x"])
def test_what_is_deleted_is_not_searched_and_is_deleted_in_every_job(word: str, declared: str) -> None:
    found = parse_parameters(OmegaConf.create({"params": {declared: "choice(1,2)", "y": "choice(1,2)"}}), [word])
    assert list(found.space.distributions) == ["y"]
    assert found.overrides({"y": 2}) == ["y=2", word]


@given(values=st.lists(st.integers(0, 99), min_size=2, max_size=9, unique=True))
def test_shuffling_keeps_the_values_and_the_same_order_at_every_start(values: list[int]) -> None:
    word = f"x=shuffle({','.join(map(str, values))})"
    first, second = searched(word)["x"], searched(word)["x"]
    assert first == second
    assert isinstance(first, CategoricalDistribution)
    assert sorted(first.choices) == sorted(values)


def test_shuffling_a_range_leaves_out_its_end_as_hydra_does() -> None:
    found = searched("x=shuffle(range(1,9))")["x"]
    assert isinstance(found, CategoricalDistribution)
    assert sorted(found.choices) == list(range(1, 9))
    assert list(found.choices) != list(range(1, 9))


@settings(deadline=None)
@given(values=st.lists(NUMBERS | st.booleans(), min_size=1, max_size=4))
def test_numbers_reach_the_task_exactly(values: list[Any]) -> None:
    found = parse_parameters({}, [f"x=choice({','.join(map(quoted, values))})"])
    assert [(type(value), value) for value in meanings(found, "x")] == [(type(value), value) for value in values]


@settings(deadline=None, max_examples=50)
@given(values=st.lists(ELEMENTS, min_size=1, max_size=4))
def test_quoted_values_reach_the_task_as_they_are(values: list[Any]) -> None:
    found = parse_parameters({}, [f"x=choice({','.join(map(quoted, values))})"])
    assert [(type(value), value) for value in meanings(found, "x")] == [(type(value), value) for value in values]


@pytest.mark.parametrize("key", ["params", "search_space"])
def test_choices_in_optunas_words_reach_the_task_as_they_are(key: str) -> None:
    values = [*AWKWARD, "plain", 1, 2.5, True, None, [1, "c,d"], {"a": [1, "x"]}]
    found = parse_parameters(OmegaConf.create({key: {"x": {"type": "categorical", "choices": values}}}), [])
    assert meanings(found, "x") == values


def test_a_string_is_another_choice_than_the_number_it_looks_like() -> None:
    found = searched("x=choice(1,'1')")["x"]
    assert isinstance(found, CategoricalDistribution)
    assert found.to_internal_repr(found.choices[0]) == 0
    assert found.to_internal_repr(found.choices[1]) == 1


@pytest.mark.parametrize("value", ["a b", "plain", "é", "c,d", [1, 2], None, True, 2.5])
def test_what_a_custom_search_space_suggests_reaches_the_task(value: Any) -> None:
    [override] = parse_parameters({}, []).overrides({"x": value})
    assert meaning(override) == value


@pytest.mark.parametrize("value", ["a b", "[1,2]", "null", "3"])
def test_what_a_custom_search_space_suggests_in_hydras_words_is_read_as_such(value: str) -> None:
    """As the stock sweeper does it, whose users write lists so."""
    [override] = parse_parameters({}, []).overrides({"x": value})
    assert override == f"x={value}"


def test_every_value_reaches_a_real_task(tmp_path: Path) -> None:
    values = [*AWKWARD, "plain", 3, 0.5, True, [1, "c,d"], {"a": [1, 2]}]
    words = [f"value=choice({','.join(map(_typed, values))})", f"hydra.sweeper.n_trials={len(values)}", "spare='c,d'"]
    ended = sweep("echo", tmp_path / "sweep", *words)
    assert ended.status == 0, ended.error
    given = [
        json.loads((tmp_path / "sweep" / str(number) / "config.json").read_text()) for number in range(len(values))
    ]
    assert [task["value"] for task in given] == values
    assert {task["spare"] for task in given} == {"c,d"}


def test_a_deleted_key_is_missing_from_the_task_and_an_added_one_is_there(tmp_path: Path) -> None:
    ended = sweep("echo", tmp_path / "sweep", "~spare", "+new=choice(1,2)", "kind=glob(*)", "hydra.sweeper.n_trials=6")
    assert ended.status == 0, ended.error
    given = [json.loads((tmp_path / "sweep" / str(number) / "config.json").read_text()) for number in range(6)]
    assert all("spare" not in task for task in given)
    rates = [0.1, None, 0.01]  # of the choices in the order of their names: fast, none, slow
    assert [(task["new"], task["kind"]["rate"]) for task in given] == [(new, rate) for new in (1, 2) for rate in rates]


@pytest.mark.parametrize(
    ("condition", "other", "value", "applies"),
    [
        ("kind=fast", "kind=choice(fast,slow)", "fast", True),
        ("kind=fast", "kind=choice(fast,slow)", "slow", False),
        ("kind=fast, slow", "kind=choice(fast,slow,none)", "slow", True),
        ("rate=0.50", "rate=choice(0.5,1.0)", 0.5, True),
        ("on=true", "on=choice(true,false)", True, True),
        ("on=true", "on=choice(true,false)", False, False),
        ("on=null", "on=choice(1,2)", 1, False),
        ("+kind=fast", "+kind=choice(fast,slow)", "fast", True),
    ],
)
def test_a_condition_is_read_as_values_are(condition: str, other: str, value: Any, applies: bool) -> None:
    found = parse_parameters(OmegaConf.create({"when": {"x": condition}}), [other, "x=choice(1,2)"])
    assert found.space.applies("x", {other.partition("=")[0]: value}) == applies


@pytest.mark.parametrize(
    ("condition", "fixed", "applies"),
    [
        ("kind=fast", "kind=fast", True),
        ("kind=fast", "kind=slow", False),
        ("on=true", "on=true", True),
        ("on=true", "on=false", False),
        ("rate=1e-3", "rate=0.001", True),
        ("name='a b'", "name='a b'", True),
    ],
)
def test_a_condition_holds_on_what_the_command_line_fixes(condition: str, fixed: str, applies: bool) -> None:
    found = parse_parameters(OmegaConf.create({"when": {"x": condition}}), [fixed, "x=choice(1,2)"])
    assert found.space.applies("x", {}) == applies


@pytest.mark.parametrize(
    ("words", "sweeper", "key"),
    [
        (["x=range(3,1)"], {}, "x"),
        (["x=range(3,1,-1)"], {}, "x"),
        (["x=interval(2,1)"], {}, "x"),
        (["x=interval(nan,1)"], {}, "x"),
        (["x=interval(0,inf)"], {}, "x"),
        (["x=tag(log,interval(0,1))"], {}, "x"),
        ([], {"params": {"x": "chioce(1,2)"}}, "hydra.sweeper.params.x"),
        ([], {"params": {"x": "choice(1,2"}}, "hydra.sweeper.params.x"),
        ([], {"params": {"x": {"type": "float", "low": 0}}}, "hydra.sweeper.params.x"),
        ([], {"search_space": {"x": 3}}, "hydra.sweeper.search_space.x"),
        ([], {"search_space": {"x": "choice(1,2)"}}, "hydra.sweeper.search_space.x"),
        ([], {"search_space": {"x": {"type": "real", "low": 0, "high": 1}}}, "hydra.sweeper.search_space.x.type"),
        ([], {"search_space": {"x": {"low": 0, "high": 1}}}, "hydra.sweeper.search_space.x.type"),
        ([], {"search_space": {"x": {"type": "int", "low": "a", "high": 1}}}, "hydra.sweeper.search_space.x"),
        (
            [],
            {"search_space": {"x": {"type": "float", "low": 0, "high": float("inf")}}},
            "hydra.sweeper.search_space.x",
        ),
        ([], {"search_space": {"x": {"type": "float", "low": 2, "high": 1}}}, "hydra.sweeper.search_space.x"),
        ([], {"search_space": {"x": {"type": "categorical"}}}, "hydra.sweeper.search_space.x"),
        ([], {"search_space": {"x": {"type": "categorical", "choices": []}}}, "hydra.sweeper.search_space.x"),
        (["seeds=choice(1,2)"], {}, "seeds"),
        (["++seeds=choice(1,2)"], {}, "seeds"),
        (["training.iterations=range(1,3)"], {}, "training.iterations"),
        ([], {"params": {"seeds": {"type": "int", "low": 1, "high": 2}}}, "seeds"),
        (["x=choice(1,2)"], {"when": {"x": "y"}}, "hydra.sweeper.when.x"),
        (["x=choice(1,2)"], {"when": {"x": "y="}}, "hydra.sweeper.when.x"),
        (["x=choice(1,2)"], {"when": {"x": "y=1"}}, "hydra.sweeper.when.x"),
        (["x=choice(1,2)", "y=choice(1,2)"], {"when": {"x": "y=1"}}, "hydra.sweeper.when.x"),
        (["y=choice(1,2)"], {"when": {"x": "y=1"}}, "hydra.sweeper.when"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_its_key(words: list[str], sweeper: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"^`{re.escape(key)}` must ") as refused:
        parse_parameters(OmegaConf.create(sweeper), words)
    [line] = str(refused.value).splitlines()
    assert "; found" in line
    assert line.endswith(".")
    assert not line.endswith("..")


def _typed(value: Any) -> str:
    """A value as it is typed: a dictionary's keys are bare."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_typed(item)}" for key, item in value.items()) + "}"
    return quoted(value)
