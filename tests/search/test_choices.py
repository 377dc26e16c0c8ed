"""Every choice of sampler and pruner, and the settings of a search beside its space, by their effects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner
from optuna.trial import TrialState, create_trial

from badger_sweeps.search.pruning import CensoredBound, OptunaPruning, TrainingProgress
from badger_sweeps.search.sampling import sampler_seed
from badger_sweeps.search.search import Search
from badger_sweeps.search.space import Space
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from hydra_plugins.badger_sweeper._specification import plain_containers
from hydra_plugins.badger_sweeper.config import PRUNERS, SAMPLERS, SWEEPER
from tests.search.apps import Ended, sweep
from tests.search.apps.searching import begin, outcome_of, specification
from tests.search.commands import Records
from tests.search.commands import sweep as sweep_badgers

APPS = Path(__file__).parent / "apps"


@pytest.fixture
def composed(hydra_restore_singletons: None) -> Iterator[Callable[..., DictConfig]]:
    """Gives `hydra.sweeper` of the sphere's configuration with overrides."""
    with initialize_config_dir(str(APPS / "sphere"), version_base=None):
        yield lambda *words: compose("config", list(words), return_hydra_config=True).hydra.sweeper


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_is_a_choice_that_is_built_as_it_is_described(
    name: str, composed: Callable[..., DictConfig], tmp_path: Path
) -> None:
    described = plain_containers(composed(f"hydra/sweeper/sampler={name}").sampler)
    assert described.keys() - {"seed"} == SAMPLERS[name].keys() - {"seed"}
    if name != "grid":
        space = Space({"x": CategoricalDistribution([1, 2])})
        built = specification(tmp_path, space, {**described, "seed": 5}).build_sampler(None)
        assert type(built).__name__ == str(described["_target_"]).rsplit(".", 1)[1]


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_is_a_choice_that_is_built_as_it_is_described(
    name: str, composed: Callable[..., DictConfig]
) -> None:
    described = plain_containers(composed(f"hydra/sweeper/pruner={name}").pruner)
    assert described == PRUNERS[name]
    built = instantiate(described, _convert_="all")
    assert isinstance(built, BasePruner | CensoredBound)
    assert type(built).__name__ == str(described["_target_"]).rsplit(".", 1)[1]


def test_every_key_can_be_set(composed: Callable[..., DictConfig]) -> None:
    assert SWEEPER.keys() - {"defaults"} | {"sampler", "pruner"} == set(composed())


def results(folder: Path) -> dict[str, Any]:
    return dict(OmegaConf.to_container(OmegaConf.load(folder / "optimization_results.yaml")))  # type: ignore[arg-type]


def sphere(point: Mapping[str, Any]) -> float:
    return float(point["x"]) ** 2 + float(point["y"]) ** 2


WHOLE = ("grid", "brute_force", "random")
"""Samplers that try a whole space below."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "brute_force" else pytest.mark.slow) for name in SAMPLERS]
)
def test_a_sweep_with_every_sampler_ends_with_its_total_and_the_best_of_it(name: str, tmp_path: Path) -> None:
    folder, whole = tmp_path / "sweep", name in WHOLE
    words = ["x=range(-2,1)", "y=choice(-1,0,1)"] if whole else ["x=interval(-2.0,1.0)", "y=interval(-1.0,1.0)"]
    ended = sweep("sphere", folder, f"hydra/sweeper/sampler={name}", "hydra.sweeper.n_trials=14", *words)
    assert ended.status == 0, ended.error
    trials = Records.of(folder, name="sphere").trials()
    assert len(trials) == (12 if whole else 14)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert all(trial.value == sphere(trial.params) for trial in trials)
    best = min(trials, key=lambda trial: trial.values)
    found = results(folder)
    assert (found["best_value"], found["best_params"]) == (best.value, best.params)
    assert not whole or found["best_value"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", PRUNERS)
def test_a_sweep_of_ours_with_every_pruner_accounts_for_every_trial(name: str, tmp_path: Path) -> None:
    words = ["training.iterations=60", "hydra.sweeper.n_trials=8", f"hydra/sweeper/pruner={name}"]
    ended = sweep_badgers(tmp_path / "sweep", *words, "objective=escape_iteration")
    assert ended.returncode == 0, ended.stderr
    states = Records.of(tmp_path / "sweep").statuses()
    assert len(states) == 8
    assert set(states) <= {"completed", "pruned", "diverged"}
    assert name != "none" or "pruned" not in states


CURVES = np.random.default_rng(0).standard_normal((12, 20)).cumsum(axis=1)
"""Losses of 12 trials, which overtake one another."""


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "bound"])
def test_optunas_pruners_stop_the_trials_that_they_stop_in_optuna(name: str, tmp_path: Path) -> None:
    described = {**PRUNERS[name], **({"patience": 2} if name == "patient" else {})}
    search = begin(specification(tmp_path, Space({"x": FloatDistribution(0, 1)}), n_trials=12))
    pruner = instantiate(described, _convert_="all")
    other = optuna.create_study(study_name=search.name, pruner=instantiate(described, _convert_="all"))
    pruned, expected = [], []
    for curve in CURVES:
        claim, trial = search.claim(), other.ask()
        assert claim is not None
        reason = stopped = None
        for iteration, loss in enumerate(curve):
            progress = TrainingProgress(iteration, float(loss), None)
            reason = OptunaPruning(pruner).reason_to_prune(
                search.optuna_study, search.storage, claim.trial_id, progress
            )
            trial.report(float(loss), iteration)
            stopped = iteration if trial.should_prune() else None
            pruned.append(reason is not None)
            expected.append(stopped is not None)
            if reason is not None or stopped is not None:
                break
        outcome = (
            TrialOutcome(TrialStatus.PRUNED)
            if reason is not None
            else TrialOutcome(TrialStatus.COMPLETED, (float(curve[-1]),))
        )
        search.tell(claim, outcome)
        if stopped is None:
            other.tell(trial, float(curve[-1]))
        else:
            other.tell(trial, state=TrialState.PRUNED)
    assert pruned == expected
    assert any(expected) == (name != "none")


def dominates(values: list[float], others: list[float]) -> bool:
    """By definition, both being minimised."""
    return values != others and all(value <= other for value, other in zip(values, others, strict=True))


@pytest.mark.parametrize("sampler", ["nsgaii", pytest.param("nsgaiii", marks=pytest.mark.slow)])
def test_solutions_are_the_trials_that_no_other_dominates(sampler: str, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    words = [f"hydra/sweeper/sampler={sampler}", "hydra.sweeper.sampler.population_size=4"]
    ended = sweep("objectives", folder, *words, "hydra.sweeper.n_trials=16")
    assert ended.status == 0, ended.error
    trials = Records.of(folder, name="objectives").trials()
    front = [trial for trial in trials if not any(dominates(other.values, trial.values) for other in trials)]
    solutions = results(folder)["solutions"]
    assert [solution["trial"] for solution in solutions] == [trial.number for trial in front]
    for solution in solutions:
        x, y = solution["params"]["x"], solution["params"]["y"]
        assert solution["values"] == [4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2]
    values = sorted(solution["values"] for solution in solutions)
    assert all(first[1] >= second[1] for first, second in pairwise(values))


def test_a_maximum_is_searched_where_that_is_asked_for(tmp_path: Path) -> None:
    words = ["hydra.sweeper.direction=maximize", "x=range(-2,1)", "y=choice(0)", "hydra/sweeper/sampler=grid"]
    ended = sweep("sphere", tmp_path / "sweep", *words)
    assert ended.status == 0, ended.error
    found = results(tmp_path / "sweep")
    assert (found["best_value"], found["best_params"]["x"], found["best_trial"]) == (4, -2, 0)


CONSTRAINED = {**SAMPLERS["tpe"], "n_startup_trials": 3}
"""A sampler that looks at constraints, early."""


@pytest.mark.parametrize("constrained", [True, False])
def test_a_sampler_is_told_of_constraints_as_optuna_would_tell_it(constrained: bool, tmp_path: Path) -> None:
    space = Space({"x": FloatDistribution(-5, 5), "y": FloatDistribution(-5, 5)})
    described = specification(tmp_path, space, CONSTRAINED, n_trials=12)
    search = begin(described)
    differ = 0
    for number in range(12):
        sampler = partial(described.build_sampler, sampler_seed(0, number, 0))
        expected = [_next(search, sampler(), told_of) for told_of in (constrained, False)]
        claim = search.claim()
        assert claim is not None
        assert claim.params == expected[0]
        differ += expected[0] != expected[-1]
        outcome = outcome_of(claim, sphere)
        violated = {"x": claim.params["x"] - 1, "y": -claim.params["y"]} if constrained else {}
        search.tell(claim, TrialOutcome(outcome.status, outcome.values, constraints=violated))
        assert search.trials()[-1].constraints == violated
    assert (differ > 0) == constrained  # so that the comparison above could have failed


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_constraint_without_a_number_counts_as_violated(value: float, tmp_path: Path) -> None:
    search = begin(specification(tmp_path, Space({"x": FloatDistribution(0, 1)})))
    claim = search.claim()
    assert claim is not None
    search.tell(claim, TrialOutcome(TrialStatus.COMPLETED, (1.0,), constraints={"loss": value}))
    [trial] = search.trials()
    assert (trial.state, trial.constraints["loss"] > 0) == (TrialState.COMPLETE, True)


@pytest.mark.slow
def test_a_constraint_decides_which_trial_is_the_best(tmp_path: Path) -> None:
    # With this budget no seed escapes, so that every trial's objective is the budget; of equals the first is the best,
    # unless it violates a constraint. The mean final loss differs from trial to trial.
    words = ["training.iterations=40", "hydra.sweeper.n_trials=6", "objective=escape_iteration"]
    assert sweep_badgers(tmp_path / "free", *words).returncode == 0
    free = Records.of(tmp_path / "free").trials()
    assert {trial.value for trial in free} == {40.0}
    assert results(tmp_path / "free")["best_trial"] == 0
    ended = sweep_badgers(tmp_path / "bound", *words, "hydra.sweeper.constraints={final_loss: 0.0}")
    assert ended.returncode == 0, ended.stderr
    losses = [trial.constraints["final_loss"] for trial in Records.of(tmp_path / "bound").trials()]
    most = sorted(losses)[2]
    assert losses[0] > sorted(losses)[0]
    again = sweep_badgers(tmp_path / "some", *words, f"hydra.sweeper.constraints={{final_loss: {most}}}")
    assert again.returncode == 0, again.stderr
    trials = Records.of(tmp_path / "some").trials()
    feasible = [trial.number for trial in trials if all(value <= 0 for value in trial.constraints.values())]
    assert feasible == [number for number, loss in enumerate(losses) if loss <= most]
    assert results(tmp_path / "some")["best_trial"] == feasible[0]


def test_a_constraint_on_what_the_task_does_not_tell_is_each_trials_failure(tmp_path: Path) -> None:
    ended = sweep("sphere", tmp_path / "sweep", "hydra.sweeper.constraints={speed: 1}", "hydra.sweeper.n_trials=2")
    assert ended.status != 0
    reasons = {
        trial.user_attrs["outcome"]["reason"] for trial in Records.of(tmp_path / "sweep", name="sphere").trials()
    }
    assert reasons == {"`hydra.sweeper.constraints` must name quantities of the task (none); found 'speed'"}


def given_to_tasks(folder: Path, count: int) -> list[dict[str, Any]]:
    return [json.loads((folder / str(number) / "config.json").read_text()) for number in range(count)]


def test_a_parameter_is_searched_only_when_its_condition_holds(tmp_path: Path) -> None:
    words = ["kind=choice(fast,slow)", "value=interval(0.0,1.0)", "hydra.sweeper.when={value: 'kind=fast'}"]
    ended = sweep("echo", tmp_path / "sweep", *words, "hydra.sweeper.n_trials=8", "hydra/sweeper/sampler=random")
    assert ended.status == 0, ended.error
    trials = Records.of(tmp_path / "sweep").trials()
    tasks = given_to_tasks(tmp_path / "sweep", 8)
    for trial, task in zip(trials, tasks, strict=True):
        assert ("value" in trial.params) == (trial.params["kind"] == "fast")
        assert task["value"] == trial.params.get("value")
        assert task["kind"]["rate"] == {"fast": 0.1, "slow": 0.01}[trial.params["kind"]]
    assert sum(trial.params["kind"] == "slow" for trial in trials) == 1  # it has no other point


@pytest.mark.slow
def test_a_parameter_of_one_architecture_is_left_alone_in_the_others(tmp_path: Path) -> None:
    words = ["architecture=choice(gru,exponential)", "architecture.a=interval(0.0,1.0)", "training.iterations=20"]
    when = "hydra.sweeper.when={architecture.a: 'architecture=exponential'}"
    ended = sweep_badgers(tmp_path / "sweep", *words, when, "hydra.sweeper.n_trials=6")
    assert ended.returncode == 0, ended.stderr
    trials = Records.of(tmp_path / "sweep").trials()
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    for trial in trials:
        config = OmegaConf.load(tmp_path / "sweep" / str(trial.number) / ".hydra" / "config.yaml")
        assert ("architecture.a" in trial.params) == (trial.params["architecture"] == "exponential")
        assert config.architecture.get("a") == trial.params.get("architecture.a")


def test_a_search_begins_with_the_points_it_is_given_once_each(tmp_path: Path) -> None:
    words = ["kind=choice(fast,none,slow)", "value=1,2,null", "spare=range(1,9)", "hydra.sweeper.n_trials=6"]
    first = "hydra.sweeper.warm_start=[{},{kind: slow, spare: 4},{value: 2},{},{kind: none}]"
    ended = sweep("echo", tmp_path / "sweep", *words, first)
    assert ended.status == 0, ended.error
    tasks = [(task["kind"]["rate"], task["value"], task["spare"]) for task in given_to_tasks(tmp_path / "sweep", 6)]
    assert tasks[:3] == [(None, None, 1), (0.01, None, 4), (None, 2, 1)]  # the configuration's own where none is given
    assert len(set(tasks)) == 6


def test_points_to_begin_with_count_in_the_total_and_go_on_where_it_grows(tmp_path: Path) -> None:
    points = [{"x": x, "y": 0} for x in (1.0, 1.5, 2.0)]
    words = [f"hydra.sweeper.warm_start={str(points).replace(chr(39), '')}", "hydra/sweeper/sampler=random"]
    for n_trials in (2, 4):
        ended = sweep("sphere", tmp_path / "sweep", *words, "y=choice(-5,0,5)", f"hydra.sweeper.n_trials={n_trials}")
        assert ended.status == 0, ended.error
        trials = Records.of(tmp_path / "sweep", name="sphere").trials()
        assert len(trials) == n_trials
        assert [trial.params for trial in trials][:3] == points[:n_trials]


def test_a_list_in_the_configuration_is_a_point_to_begin_with(tmp_path: Path) -> None:
    words = ["+sizes=choice([1],[1, 2])", "hydra.sweeper.warm_start=[{+sizes: [1, 2]}]", "hydra.sweeper.n_trials=1"]
    ended = sweep("echo", tmp_path / "sweep", *words)
    assert ended.status == 0, ended.error
    assert given_to_tasks(tmp_path / "sweep", 1)[0]["sizes"] == [1, 2]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("[{speed: 1}]", "`hydra.sweeper.warm_start` must name searched parameters; found 'speed'."),
        ("[{x: 7.0}]", "`hydra.sweeper.warm_start` must lie in the search space; found x=7.0."),
        ("[{x: 0.25}]", "`hydra.sweeper.warm_start` must lie in the search space; found x=0.25."),
        ("[{}]", "`hydra.sweeper.warm_start` must lie in the search space; found y=1."),  # the configuration's own
        ("[3]", "`hydra.sweeper.warm_start` must be a list of mappings"),
        ("{x: 1}", "`hydra.sweeper.warm_start` must be a list of mappings"),
    ],
)
def test_a_point_that_cannot_be_tried_is_refused(given: str, error: str, tmp_path: Path) -> None:
    ended: Ended = sweep("sphere", tmp_path / "sweep", f"hydra.sweeper.warm_start={given}", "hydra.sweeper.n_trials=2")
    assert ended.status != 0
    assert error in ended.error
    assert not list((tmp_path / "sweep").glob("[0-9]*"))


@pytest.mark.parametrize("sampler", ["grid", "brute_force"])
def test_a_sampler_that_counts_points_refuses_an_interval(sampler: str, tmp_path: Path) -> None:
    ended = sweep("sphere", tmp_path / "sweep", f"hydra/sweeper/sampler={sampler}", "x=interval(0.0,1.0)")
    assert ended.status != 0
    assert "`x` must be choice(...) or range(...)" in ended.error
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("hydra.sweeper.n_trials=0", "`hydra.sweeper.n_trials` must be a whole number of at least 1; found 0."),
        ("hydra.sweeper.n_trials=2.5", "`hydra.sweeper.n_trials` must be a whole number of at least 1; found 2.5."),
        ("hydra.sweeper.n_jobs=0", "`hydra.sweeper.n_jobs` must be a whole number of at least 1; found 0."),
        ("hydra.sweeper.direction=down", "`hydra.sweeper.direction` must be minimize or maximize"),
        ("hydra.sweeper.direction=[minimize,up]", "`hydra.sweeper.direction` must be minimize or maximize"),
        (
            "hydra.sweeper.sampler._target_=optuna.pruners.NopPruner",
            "`hydra.sweeper.sampler` must build one of Optuna's",
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused(word: str, error: str, tmp_path: Path) -> None:
    words = ["hydra/sweeper/sampler=random", *(["~hydra.sweeper.sampler.seed"] if "_target_" in word else []), word]
    ended = sweep("sphere", tmp_path / "sweep", *words)
    assert ended.status != 0
    assert error in ended.error
    assert not (tmp_path / "sweep").exists()


def _next(search: Search, sampler: optuna.samplers.BaseSampler, constrained: bool) -> dict[str, Any]:
    """The point that Optuna would try next, with or without the constraints."""
    other = optuna.create_study(sampler=sampler)
    for trial in search.trials():
        constraints = trial.constraints if constrained else None
        again = create_trial(
            params=trial.params, distributions=trial.distributions, value=trial.value, constraints=constraints
        )
        other.add_trial(again)
    asked = other.ask()
    return {"x": asked.suggest_float("x", -5, 5), "y": asked.suggest_float("y", -5, 5)}
