"""Definitions of searches: a command whose definition differs is refused and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from badger_sweeps.configuration import files
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.keys import indifferent
from badger_sweeps.search.definition import definition, first_difference
from badger_sweeps.search.space import Space
from hydra_plugins.badger_sweeper._grammar import parse_parameters
from hydra_plugins.badger_sweeper._specification import search_definition, specify
from hydra_plugins.badger_sweeper.config import SWEEPER
from tests.search.apps import sweep as application
from tests.search.commands import SEARCH, SMALL, Records, sweep

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
CONFIGS = st.dictionaries(st.text("abc.", min_size=1, max_size=5), VALUES | st.lists(VALUES, max_size=3), max_size=6)
DISTRIBUTIONS: list[BaseDistribution] = [
    FloatDistribution(0, 1),
    FloatDistribution(0, 2),
    FloatDistribution(0, 1, step=0.5),
    FloatDistribution(0.1, 1),
    FloatDistribution(0.1, 1, log=True),
    IntDistribution(0, 1),
    IntDistribution(0, 2, step=2),
    CategoricalDistribution(["a", "b"]),
    CategoricalDistribution(["b", "a"]),
    CategoricalDistribution(["a", "b", "c"]),
    CategoricalDistribution([1, 2]),
    CategoricalDistribution(["1", "2"]),
]


def made(
    distributions: dict[str, BaseDistribution] | None = None, directions: list[str] | None = None, **config: Any
) -> dict[str, Any]:
    return definition(Space(distributions or {}), directions or ["minimize"], config)


@given(config=CONFIGS)
def test_a_definition_is_the_same_after_storage_and_in_any_order(config: dict[str, Any]) -> None:
    first = definition(Space({"x": DISTRIBUTIONS[0]}), ["minimize"], config)
    turned = definition(Space({"x": DISTRIBUTIONS[0]}), ["minimize"], dict(reversed(list(config.items()))))
    assert first_difference(json.loads(json.dumps(first)), turned, "study") is None


@given(config=CONFIGS, key=st.text("xyz", min_size=1, max_size=3), value=VALUES, other=VALUES)
def test_the_key_that_differs_is_named_with_both_values(
    config: dict[str, Any], key: str, value: Any, other: Any
) -> None:
    first, second = ({**config, key: own} for own in (value, other))
    refused = first_difference(made(**{}) | _plain(first), made(**{}) | _plain(second), "mine")
    if _plain(first) == _plain(second):
        assert refused is None
        return
    words = f"`{key}` must be {json.dumps(value)}, as when the search 'mine' was begun; found {json.dumps(other)} ("
    assert str(refused).startswith(words)
    assert "hydra.sweeper.force=true" in str(refused)
    assert str(refused).isprintable() or not (repr(value) + repr(other)).isascii()


@pytest.mark.parametrize("stored", DISTRIBUTIONS, ids=str)
def test_any_other_distribution_is_another_search(stored: BaseDistribution) -> None:
    for wanted in DISTRIBUTIONS:
        refused = first_difference(made({"x": stored}), made({"x": wanted}), "study")
        assert (refused is None) == (stored is wanted)
        assert refused is None or str(refused).startswith("`hydra.sweeper.params.x` must be ")


def test_a_difference_in_the_space_is_told_in_words() -> None:
    stored = made({"lr": FloatDistribution(0.1, 1, log=True)})
    wanted = made({"lr": FloatDistribution(0.1, 2)})
    assert str(first_difference(stored, wanted, "mine")).startswith(
        "`hydra.sweeper.params.lr` must be high=1.0, log=True, low=0.1, as when the search 'mine' was begun; "
        "found high=2.0, low=0.1 ("
    )


@pytest.mark.parametrize(
    ("stored", "wanted", "words"),
    [
        (made(), made(lr=1), "`lr` must be absent"),
        (made(lr=1), made(), "`lr` must be 1"),
        (made(lr=None), made(), "`lr` must be null"),
        (made(), made({"lr": DISTRIBUTIONS[5]}), "`hydra.sweeper.params.lr` must be absent"),
        (made(), made(directions=["maximize"]), '`hydra.sweeper.direction` must be ["minimize"]'),
        (
            made(),
            made(directions=["minimize", "minimize"]),
            '`hydra.sweeper.direction` must be ["minimize"]',
        ),
    ],
)
def test_what_was_added_or_taken_away_is_told(stored: dict[str, Any], wanted: dict[str, Any], words: str) -> None:
    assert str(first_difference(stored, wanted, "study")).startswith(f"{words}, as when")


def test_the_value_that_the_configuration_has_for_a_searched_key_does_not_matter() -> None:
    assert first_difference(made({"lr": DISTRIBUTIONS[0]}, lr=1), made({"lr": DISTRIBUTIONS[0]}, lr=2), "study") is None


def test_a_condition_is_part_of_the_space() -> None:
    distributions = {"kind": DISTRIBUTIONS[7], "x": DISTRIBUTIONS[0]}
    plain, conditional = (
        definition(Space(distributions, {}, conditions), ["minimize"], {})
        for conditions in ({}, {"x": ("kind", ("a",))})
    )
    assert str(first_difference(plain, conditional, "study")).startswith("`hydra.sweeper.when.x` must be absent")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with what is in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("word", [pytest.param("x=1", marks=pytest.mark.slow), "hydra.sweeper.params={x: 1}", "++x=1"])
def test_it_does_not_matter_where_a_value_is_written(word: str, tmp_path: Path) -> None:
    words = ["hydra.sweeper.params=null", "y=choice(0,5)"]
    begun = application("sphere", tmp_path / "mine", "hydra.sweeper.n_trials=1", *words)  # has x: 1 in its file
    assert begun.status == 0, begun.error
    again = application("sphere", tmp_path / "mine", "hydra.sweeper.n_trials=2", *words, word)
    assert again.status == 0, again.error
    other = application("sphere", tmp_path / "mine", "hydra.sweeper.n_trials=2", *words, word.replace("1", "2"))
    assert other.status != 0
    assert "`x` must be 1, as when the search 'sphere' was begun; found 2" in other.error


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "seeds": lambda words: [*words, "seeds=3"],
    "training.iterations": lambda words: [*words, "training.iterations=21"],
    "objective": lambda words: [*words, "objective=solved_iteration"],
    "hydra.sweeper.params.optimizer.lr": lambda words: [*words, "optimizer.lr=tag(log,interval(0.0005,0.1))"],
    "hydra.sweeper.constraints": lambda words: [*words, "hydra.sweeper.constraints={diverged: 0.5}"],
}


@pytest.mark.slow
def test_a_rerun_that_asks_for_another_search_is_refused_and_writes_nothing_unless_forced(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    words = ["training.iterations=20", "hydra.sweeper.n_trials=1"]
    begun = sweep(folder, *words)
    assert begun.returncode == 0, begun.stderr
    before = contents(folder)
    for key, change in CHANGES.items():
        refused = sweep(folder, *change([*words, "hydra.sweeper.n_trials=2"]))
        assert refused.returncode == 2, refused.stdout + refused.stderr
        [line] = refused.stderr.splitlines()
        assert f"`{key}` must be " in line
        assert "as when the search 'mine' was begun; found " in line
        assert contents(folder) == before
    same = sweep(folder, *words)
    assert same.returncode == 0, same.stderr
    forced = sweep(folder, *words, "seeds=3", "hydra.sweeper.n_trials=2", "hydra.sweeper.force=true")
    assert forced.returncode == 0, forced.stderr
    first, second = Records.of(folder).trials()
    assert [first.user_attrs["outcome"]["seeds"], second.user_attrs["outcome"]["seeds"]] == [2, 3]
    refused = sweep(folder, *words, "hydra.sweeper.n_trials=3")  # the search is the forced one now
    assert refused.returncode == 2
    assert "`seeds` must be 3, as when" in refused.stderr


@pytest.mark.slow
def test_what_does_not_decide_a_result_may_differ(tmp_path: Path) -> None:
    words = ["training.iterations=20", "hydra.sweeper.n_trials=1"]
    assert sweep(tmp_path / "mine", *words).returncode == 0
    other = ["hydra.sweeper.n_trials=2", "training.checkpoint_every=10", "device=cpu", "reuse=false"]
    again = sweep(tmp_path / "mine", *words, *other)
    assert again.returncode == 0, again.stderr
    assert len(Records.of(tmp_path / "mine").trials()) == 2


def started(folder: Path, *words: str) -> None:
    """What a start of a search with the application's own configuration asks of its study."""
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        config = compose(files.MAIN_CONFIG, ["hydra/sweeper=badger", *words], return_hydra_config=True)
    parameters = parse_parameters(config.hydra.sweeper, ["optimizer.lr=tag(log,interval(0.0005,0.01))"])
    search = specify(config, parameters, folder, "").open(config)
    search.begin(search_definition(config, parameters), [])


@pytest.mark.parametrize(
    ("then", "now"), [("reuse=true", "reuse=false"), ("scale=full", "scale=quick"), ("device=auto", "device=cpu")]
)
def test_two_starts_that_differ_in_what_changes_no_result_are_of_one_search(
    then: str, now: str, tmp_path: Path, hydra_restore_singletons: None
) -> None:
    started(tmp_path, then)
    started(tmp_path, now)
    with pytest.raises(UsageError, match="`seeds` must be 8, as when"):  # or the test would show nothing
        started(tmp_path, now, "seeds=3")


def test_whatever_has_no_say_in_a_history_may_differ() -> None:
    """But the objective, by which a search judges its trials."""
    assert set(indifferent("history")) - {"objective"} <= set(SWEEPER["may_differ"])


def test_a_key_that_may_differ_by_now_does_not_matter_in_a_search_that_was_begun_with_it(
    tmp_path: Path, hydra_restore_singletons: None
) -> None:
    started(tmp_path, "hydra.sweeper.may_differ=[]", "reuse=true")
    with pytest.raises(UsageError, match="`reuse` must be true, as when"):
        started(tmp_path, "hydra.sweeper.may_differ=[]", "reuse=false")
    started(tmp_path, "reuse=false")


def test_a_search_that_makes_no_sense_is_refused_before_its_folder_is_made(tmp_path: Path) -> None:
    refused = sweep(tmp_path / "mine", "training.iterations=20", "hydra.sweeper.warm_start=[{optimizer.lr: 5}]")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert "`hydra.sweeper.warm_start` must lie in the search space; found optimizer.lr=5" in line
    assert not (tmp_path / "mine").exists()


def test_commands_of_these_tests_search_what_they_say() -> None:
    assert any(word.startswith("optimizer.lr=") for word in SEARCH)
    assert "seeds=2" in SMALL


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(config)))
