"""The cases that Hydra's own Optuna sweeper is tested with, of its lines 1.3 and 1.4, run against this sweeper.

What differs:

- Optuna has done away with the distributions of 1.3 (`UniformDistribution` and so on); `FloatDistribution` and
  `IntDistribution` stand for them, as they do in 1.4.
- A sweep gives its jobs' returns, which Hydra's contract for sweepers asks for; the stock sweeper gives None.
- A space of no more points than trials is tried once, point by point, and then the sweep is done. The stock sweeper
  tries points again and again, and its grid leaves out the end of each range.
- `hydra.sweeper.search_space` is not deprecated, so that it alone warns of nothing. Both it and `params` warn.
- `hydra/sweeper/sampler=motpe`, which 1.4 refuses, is TPE: since Optuna 4 that is the same.
"""

from __future__ import annotations

import warnings
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.test_utils import TSweepRunner
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_plugins.badger_sweeper._grammar import parse_parameters
from hydra_plugins.badger_sweeper.sweeper import BadgerSweeper
from tests.search.apps import sweep


def results(folder: Path) -> DictConfig:
    found = OmegaConf.load(folder / "optimization_results.yaml")
    assert isinstance(found, DictConfig)
    assert found.name == "optuna"
    return found


def same(found: BaseDistribution, expected: BaseDistribution) -> bool:
    """Whether they are equal; choices in any order, since they may be shuffled."""
    if isinstance(found, CategoricalDistribution) and isinstance(expected, CategoricalDistribution):
        return set(found.choices) == set(expected.choices)
    return found == expected


def test_discovery() -> None:
    assert BadgerSweeper.__name__ in [own.__name__ for own in Plugins.instance().discover(Sweeper)]


@pytest.mark.parametrize("key", ["search_space", "params"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"type": "categorical", "choices": [1, 2, 3]}, CategoricalDistribution([1, 2, 3])),
        ({"type": "int", "low": 0, "high": 10}, IntDistribution(0, 10)),
        ({"type": "int", "low": 0, "high": 10, "step": 2}, IntDistribution(0, 10, step=2)),
        ({"type": "int", "low": 0, "high": 5}, IntDistribution(0, 5)),
        ({"type": "int", "low": 1, "high": 100, "log": True}, IntDistribution(1, 100, log=True)),
        ({"type": "float", "low": 0, "high": 1}, FloatDistribution(0, 1)),
        ({"type": "float", "low": 0, "high": 10, "step": 2}, FloatDistribution(0, 10, step=2)),
        ({"type": "float", "low": 1, "high": 100, "log": True}, FloatDistribution(1, 100, log=True)),
    ],
)
def test_create_optuna_distribution_from_config(key: str, words: dict[str, Any], expected: BaseDistribution) -> None:
    found = parse_parameters(OmegaConf.create({key: {"key": words}}), []).space.distributions["key"]
    assert same(found, expected)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("key=choice(1,2)", CategoricalDistribution([1, 2])),
        ("key=choice(true, false)", CategoricalDistribution([True, False])),
        ("key=choice('hello', 'world')", CategoricalDistribution(["hello", "world"])),
        ("key=shuffle(range(1,3))", CategoricalDistribution([1, 2])),
        ("key=range(1,3)", IntDistribution(1, 3)),
        ("key=interval(1, 5)", FloatDistribution(1, 5)),
        ("key=int(interval(1, 5))", IntDistribution(1, 5)),
        ("key=tag(log, interval(1, 5))", FloatDistribution(1, 5, log=True)),
        ("key=tag(log, int(interval(1, 5)))", IntDistribution(1, 5, log=True)),
        ("key=range(0.5, 5.5, step=1)", FloatDistribution(0.5, 5.5, step=1)),
    ],
)
def test_create_optuna_distribution_from_override(word: str, expected: BaseDistribution) -> None:
    assert same(parse_parameters({}, [word]).space.distributions["key"], expected)


@pytest.mark.parametrize(
    ("words", "searched", "fixed", "deleted"),
    [
        (["key=choice(1,2)"], {"key": CategoricalDistribution([1, 2])}, {}, ()),
        (["key=5"], {}, {"key": "5"}, ()),
        (["key1=choice(1,2)", "key2=5"], {"key1": CategoricalDistribution([1, 2])}, {"key2": "5"}, ()),
        (
            ["key1=choice(1,2)", "key2=5", "key3=range(1,3)"],
            {"key1": CategoricalDistribution([1, 2]), "key3": IntDistribution(1, 3)},
            {"key2": "5"},
            (),
        ),
        (["~z"], {}, {}, ("~z",)),
        (["~z=10"], {}, {}, ("~z=10",)),
    ],
)
def test_create_params_from_overrides(
    words: list[str], searched: dict[str, BaseDistribution], fixed: dict[str, str], deleted: tuple[str, ...]
) -> None:
    found = parse_parameters({}, words)
    assert (found.space.distributions, found.fixed, found.deleted) == (searched, fixed, deleted)


def test_launch_jobs(hydra_restore_singletons: None, hydra_sweep_runner: TSweepRunner, tmp_path: Path) -> None:
    runner = hydra_sweep_runner(
        calling_file=None,
        calling_module="hydra.test_utils.a_module",
        config_path="configs",
        config_name="compose.yaml",
        task_function=None,
        overrides=[
            "hydra/sweeper=badger",
            "hydra/launcher=basic",
            "hydra.sweeper.n_trials=8",
            "hydra.sweeper.n_jobs=3",
        ],
        temp_dir=tmp_path / "sweep",
    )
    with runner:
        assert runner.returns is not None
        assert [len(batch) for batch in runner.returns] == [1]  # nothing is searched: there is one point


@pytest.mark.parametrize("with_commandline", [True, False])
def test_optuna_example(with_commandline: bool, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'test.db'}"
    words = ["x=choice(0, 1, 2)", "y=0"] if with_commandline else []
    sweep(
        "sphere",
        tmp_path,
        "hydra.job.chdir=True",
        "hydra.sweeper.n_trials=20",
        "hydra.sweeper.n_jobs=1",
        f"hydra.sweeper.storage={storage}",
        "hydra.sweeper.study_name=test-optuna-example",
        "hydra/sweeper/sampler=tpe",
        "hydra.sweeper.sampler.seed=123",
        "~z",
        *words,
    )
    found = results(tmp_path)
    search = optuna.load_study(storage=storage, study_name="test-optuna-example")
    best = search.best_trial
    assert found.best_params == best.params
    assert set(best.params) == ({"x"} if with_commandline else {"x", "y"})
    assert found.best_value == best.value
    assert len(search.trials) == (3 if with_commandline else 20)
    assert "z" not in OmegaConf.load(tmp_path / "0" / ".hydra" / "config.yaml")
    # The stock test's bound: 95 of 100 seeds of TPE come below it.
    assert found.best_value <= 2.27


@pytest.mark.parametrize("n_trials", [*(pytest.param(own, marks=pytest.mark.slow) for own in (12, 10)), 1])
def test_example_with_grid_sampler(n_trials: int, tmp_path: Path) -> None:
    sweep(
        "sphere",
        tmp_path,
        "--config-name=grid",
        "hydra.job.chdir=False",
        f"hydra.sweeper.n_trials={n_trials}",
        f"hydra.sweeper.storage=sqlite:///{tmp_path / 'test.db'}",
        "hydra.sweeper.study_name=test-grid-sampler",
    )
    found = results(tmp_path)
    assert found.trials == {"completed": n_trials}
    if n_trials >= 12:
        assert (found.best_value, abs(found.best_params.x), found.best_params.y) == (1, 1, 0)
    else:
        assert found.best_params.x in (-1, 1)
        assert found.best_params.y in (-1, 0)
    assert found.best_params.z in ("foo", "bar")


@pytest.mark.parametrize("with_commandline", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_optuna_multi_objective_example(with_commandline: bool, tmp_path: Path) -> None:
    sweep(
        "objectives",
        tmp_path,
        "hydra.job.chdir=True",
        "hydra.sweeper.n_trials=20",
        "hydra.sweeper.n_jobs=1",
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.sampler.seed=123",
        *(["x=range(0, 5)", "y=range(0, 3)"] if with_commandline else []),
    )
    solutions = results(tmp_path).solutions
    assert solutions
    step = 1 if with_commandline else 0.5
    assert all(value % step == 0 for own in solutions for value in own.params.values())
    assert not any(_dominates(own["values"], other["values"]) for own, other in product(solutions, repeat=2))


def test_optuna_custom_search_space_example(tmp_path: Path) -> None:
    sweep(
        "extended",
        tmp_path,
        "hydra.job.chdir=True",
        "hydra.sweeper.n_trials=20",
        "hydra.sweeper.n_jobs=1",
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.sampler.seed=123",
        "reach=0.3",
    )
    best = results(tmp_path).best_params
    assert abs(best.x - best.z) <= 0.3
    assert 0 <= best["+w"] <= 1


@pytest.mark.parametrize(
    ("search_space", "params", "warned"),
    [(None, None, False), ({}, {}, True), ({}, None, False), (None, {}, False)],
)
def test_warnings(search_space: dict[str, Any] | None, params: dict[str, Any] | None, warned: bool) -> None:
    both = "Both hydra.sweeper.params and hydra.sweeper.search_space are configured"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parse_parameters(OmegaConf.create({"search_space": search_space, "params": params}), [])
    assert [str(own.message).startswith(both) for own in caught] == [True] * warned


@pytest.mark.parametrize("max_failure_rate", [0.5, 1.0])
def test_failure_rate(max_failure_rate: float, tmp_path: Path) -> None:
    ended = sweep(
        "sphere",
        tmp_path,
        "hydra.job.chdir=True",
        "hydra.sweeper.n_trials=20",
        "hydra.sweeper.n_jobs=2",
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.sampler.seed=123",
        f"hydra.sweeper.max_failure_rate={max_failure_rate}",
        "error=true",
    )
    assert ("RuntimeError: the configuration asks for an error" in ended.error) == (max_failure_rate < 1)


@pytest.mark.slow
def test_motpe_is_tpe(tmp_path: Path) -> None:
    """1.4 refuses the name; here it goes on to mean a search with several objectives by TPE."""
    sweep("objectives", tmp_path, "hydra/sweeper/sampler=motpe", "hydra.sweeper.n_trials=20")
    front = sorted(tuple(own["values"]) for own in results(tmp_path).solutions)
    assert front
    assert all(first[1] > second[1] for first, second in pairwise(front))


def _dominates(values: list[float], others: list[float]) -> bool:
    pairs = list(zip(values, others, strict=True))
    return all(own <= other for own, other in pairs) and any(own < other for own, other in pairs)
