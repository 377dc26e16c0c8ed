"""Sampled points: none twice, the same whoever samples, and exactly what Optuna's own `ask` and `suggest` give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from badger_sweeps.search.sampling import point_key, sampler_seed
from badger_sweeps.search.search import Search
from badger_sweeps.search.space import Space
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from hydra_plugins.badger_sweeper.config import SAMPLERS
from tests.search.apps.searching import begin, outcome_of, specification, work

MIXED = Space(
    {
        "fixed": IntDistribution(3, 3),
        "x": FloatDistribution(-5, 5),
        "rate": FloatDistribution(1e-4, 1, log=True),
        "kind": CategoricalDistribution(["a", "b", "c"]),
        "count": IntDistribution(1, 64, log=True),
        "step": FloatDistribution(0, 1, step=0.25),
    }
)
CONDITIONAL = Space(
    {
        "kind": CategoricalDistribution(["a", "b", "c"]),
        "x": FloatDistribution(-5, 5),
        "count": IntDistribution(1, 3),
    },
    {},
    {"x": ("kind", ("a", "b")), "count": ("kind", ("c",))},
)
SMALL = Space({"x": IntDistribution(0, 2), "kind": CategoricalDistribution(["a", "b"]), "on": IntDistribution(0, 1)})
COUNTED = ("grid", "brute_force")
"""Samplers of spaces of finitely many points."""
SEVERAL = [name for name in SAMPLERS if name not in (*COUNTED, "gp")]  # a Gaussian process takes seconds for the rest


def sphere(point: Mapping[str, Any]) -> float:
    """The sum of squares of the numbers, and the place of each letter in the alphabet."""
    return sum(float(own) ** 2 if isinstance(own, int | float) else ord(own) - ord("a") for own in point.values())


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_trials", [11, 50])
def test_no_point_is_tried_twice_and_a_small_space_is_tried_whole(sampler: str, n_trials: int, tmp_path: Path) -> None:
    points = work(begin(specification(tmp_path, SMALL, sampler, n_trials=n_trials)), sphere)
    assert len({point_key(point) for point in points}) == len(points) == min(n_trials, 12)
    if n_trials >= 12 or sampler == "grid":  # no search could leave one out, or it is to try them in order
        assert points == list(SMALL.points())[:n_trials]


def test_the_last_of_many_points_are_found_too(tmp_path: Path) -> None:
    # 20 draws at random would miss both of the last two of 49 points with a probability of (47/49)^20 = 0.43.
    space = Space({"x": IntDistribution(0, 6), "y": IntDistribution(0, 6)})
    points = work(begin(specification(tmp_path, space, n_trials=48)), sphere)
    assert len({point_key(point) for point in points}) == len(points) == 48


def test_no_point_is_tried_twice_where_only_some_are_counted(tmp_path: Path) -> None:
    points = work(begin(specification(tmp_path, CONDITIONAL, n_trials=40)), sphere)
    assert len({point_key(point) for point in points}) == 40
    assert sum(point["kind"] == "c" for point in points) == 3


def test_no_point_is_tried_twice_while_others_run(tmp_path: Path) -> None:
    search = begin(specification(tmp_path, SMALL, n_trials=11))
    claims = [search.claim() for _ in range(12)]
    assert claims.pop() is None
    assert len({point_key(claim.params) for claim in claims if claim is not None}) == 11


@pytest.mark.parametrize("space", [MIXED, CONDITIONAL], ids=["mixed", "conditional"])
@pytest.mark.parametrize("sampler", SEVERAL)
def test_a_point_has_what_applies_in_its_range_as_plain_values(sampler: str, space: Space, tmp_path: Path) -> None:
    small = {"population_size": 4} if "population_size" in SAMPLERS[sampler] else {}  # so that they breed
    points = work(begin(specification(tmp_path, space, {**SAMPLERS[sampler], **small})), sphere)
    assert len(points) == 15
    for point in points:
        assert space.check({name: point.get(name) for name in space.distributions}, "key") == point
        assert {type(own) for own in point.values()} <= {int, float, str}
    assert len({point["kind"] for point in points}) > 1
    assert len({point_key(point) for point in points}) == 15


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes", "nsgaii", "qmc"])
def test_a_point_depends_on_seed_and_number_and_not_on_who_samples_or_how_often_it_was_started(
    sampler: str, tmp_path: Path
) -> None:
    whole = work(begin(specification(tmp_path / "one", MIXED, sampler)), sphere)
    restarted = []
    for _ in range(15):
        restarted += work(begin(specification(tmp_path / "two", MIXED, sampler)), sphere, rounds=1)
    assert restarted == whole


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp", "cmaes", "nsgaii"])
def test_another_seed_draws_other_points(sampler: str, tmp_path: Path) -> None:
    drawn = [
        work(begin(specification(tmp_path / str(seed), MIXED, sampler, seed=seed, n_trials=4)), sphere)
        for seed in (0, 1)
    ]
    assert all(own["x"] != other["x"] for own, other in zip(*drawn, strict=True))


def test_without_a_seed_every_start_draws_anew(tmp_path: Path) -> None:
    described = {**SAMPLERS["random"], "seed": None}
    drawn = [work(begin(specification(tmp_path / own, MIXED, described, seed=None)), sphere, rounds=1) for own in "ab"]
    assert drawn[0] != drawn[1]


def test_a_trial_whose_worker_failed_comes_back_with_its_point(tmp_path: Path) -> None:
    search = begin(specification(tmp_path, MIXED))
    claim = search.claim()
    assert claim is not None
    search.requeue(claim)
    again = begin(specification(tmp_path, MIXED)).claim()
    assert again is not None
    assert (again.number, again.params) == (claim.number, claim.params)


def test_seeds_of_draws_do_not_repeat() -> None:
    # 3000 of 2^32: two are equal with a probability of 3000^2 / 2^33 = 0.001, and these are fixed.
    seeds = [sampler_seed(seed, number, attempt) for seed in range(3) for number in range(100) for attempt in range(10)]
    assert len(set(seeds)) == len(seeds)


def suggested(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """What Optuna's own words give for the parameters that apply."""
    point: dict[str, Any] = {}
    for name, distribution in space.distributions.items():
        if not space.applies(name, point):
            continue
        if isinstance(distribution, CategoricalDistribution):
            point[name] = trial.suggest_categorical(name, distribution.choices)
        elif isinstance(distribution, IntDistribution):
            point[name] = trial.suggest_int(
                name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
            )
        elif isinstance(distribution, FloatDistribution):
            point[name] = trial.suggest_float(
                name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
            )
    return point


def by_optuna(search: Search, sampler: BaseSampler, space: Space) -> dict[str, Any]:
    """The point that Optuna itself would try next, with this sampler, after the search's trials."""
    other = optuna.create_study(sampler=sampler, directions=search.optuna_study.directions)
    other.add_trials(search.trials())
    for name, value in search.storage.get_study_system_attrs(search.optuna_study._study_id).items():
        other._storage.set_study_system_attr(other._study_id, name, value)  # where genetic samplers keep parents
    return suggested(other.ask(), space)


@pytest.mark.parametrize("space", [MIXED, CONDITIONAL, SMALL], ids=["mixed", "conditional", "small"])
@pytest.mark.parametrize(
    "sampler",
    [
        "random",
        "tpe",
        pytest.param("nsgaiii", marks=pytest.mark.slow),
        "brute_force",
        {"_target_": "optuna.samplers.TPESampler", "seed": 0, "n_startup_trials": 3},
        {**SAMPLERS["tpe"], "n_startup_trials": 3, "constant_liar": True},
        {**SAMPLERS["nsgaii"], "population_size": 4},
        {**SAMPLERS["cmaes"], "n_startup_trials": 3},
    ],
    ids=lambda own: own if isinstance(own, str) else own["_target_"].rsplit(".", 1)[1],
)
def test_a_draw_is_what_optuna_would_suggest_with_the_same_sampler_on_the_same_trials(
    sampler: Any, space: Space, tmp_path: Path
) -> None:
    if sampler == "brute_force" and space is not SMALL:
        pytest.skip("a space that cannot be counted")
    described = specification(tmp_path, space, sampler, n_trials=11 if space is SMALL else 20)
    search = begin(described)
    compared = 0
    for number in range(described.settings.n_trials):
        expected = by_optuna(search, described.build_sampler(sampler_seed(0, number, 0)), space)
        claim = search.claim()
        assert claim is not None
        if point_key(expected) not in {
            point_key(own.params) for own in search.trials()[:-1]
        }:  # else another draw is made
            assert claim.params == expected
            compared += 1
        if number % 5 == 3:
            search.tell(claim, TrialOutcome(TrialStatus.PRUNED, (sphere(claim.params),), details={"iterations": 7}))
        elif number % 5 == 4:
            search.tell(claim, TrialOutcome(TrialStatus.FAILED))
        else:
            search.tell(claim, outcome_of(claim, sphere))
    assert compared >= (3 if space is SMALL else 10)  # of few points most draws repeat one


def test_a_draw_with_several_objectives_is_what_optuna_would_suggest(tmp_path: Path) -> None:
    directions = ("minimize", "maximize")
    described = specification(tmp_path, MIXED, {**SAMPLERS["nsgaii"], "population_size": 4}, directions=directions)
    search = begin(described)
    for number in range(15):
        expected = by_optuna(search, described.build_sampler(sampler_seed(0, number, 0)), MIXED)
        claim = search.claim()
        assert claim is not None
        assert claim.params == expected
        search.tell(claim, outcome_of(claim, lambda point: (point["x"] ** 2, point["rate"])))


def test_a_draw_beside_running_trials_is_what_optuna_would_suggest(tmp_path: Path) -> None:
    described = specification(
        tmp_path, MIXED, {**SAMPLERS["tpe"], "n_startup_trials": 3, "constant_liar": True}, n_trials=12
    )
    search = begin(described)
    work(search, sphere, rounds=6)
    for number in range(6, 12):
        expected = by_optuna(search, described.build_sampler(sampler_seed(0, number, 0)), MIXED)
        claim = search.claim()
        assert claim is not None
        assert claim.params == expected


def test_parameters_that_a_point_names_stay_and_the_others_are_drawn(tmp_path: Path) -> None:
    search = begin(specification(tmp_path, MIXED), first=[{"kind": "b", "count": 7}])
    claim = search.claim()
    assert claim is not None
    assert (claim.params["kind"], claim.params["count"]) == ("b", 7)
    assert list(claim.params.keys() - {"kind", "count"}) != []
    assert claim.params.keys() == MIXED.distributions.keys()


def test_a_parameter_that_the_first_trial_did_not_have_is_drawn_anew_by_quasi_random_sequences(tmp_path: Path) -> None:
    search = begin(specification(tmp_path, CONDITIONAL, "qmc"), first=[{"kind": "c", "count": 1}])
    points = work(search, sphere)
    values = [point["x"] for point in points if "x" in point]
    assert len(values) > 3
    assert len(set(values)) == len(values)


def test_quasi_random_draws_are_one_sequence_over_all_starts(tmp_path: Path) -> None:
    space = Space({"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)})
    drawn = []
    for _ in range(17):
        drawn += work(begin(specification(tmp_path, space, "qmc", n_trials=17)), sphere, rounds=1)
    # The first is random; of a scrambled Sobol sequence's first 16 points each sixteenth of each axis has one.
    for name in "xy":
        assert sorted(int(16 * point[name]) for point in drawn[1:]) == list(range(16))


def test_a_search_with_a_custom_space_draws_its_part_from_the_same_sampler(tmp_path: Path) -> None:
    def drawn(folder: Path) -> list[Mapping[str, Any]]:
        described = specification(folder, SMALL, n_trials=6)
        search = Search(
            described.address,
            "study",
            SMALL,
            described.settings,
            described.build_sampler,
            folder,
            extend=lambda trial: [trial.suggest_float("z", trial.params["x"], trial.params["x"] + 1)][:0] or None,
        )
        search.begin({}, [])
        return work(search, sphere)

    points = drawn(tmp_path / "one")
    assert all(point["x"] <= point["z"] <= point["x"] + 1 for point in points)
    assert len({point["z"] for point in points}) == 6
    assert drawn(tmp_path / "two") == points


def test_every_trial_is_told_to_optuna_as_it_ended(tmp_path: Path) -> None:
    search = begin(specification(tmp_path, MIXED, n_trials=4))
    outcomes = [
        TrialOutcome(TrialStatus.COMPLETED, (1.5,)),
        TrialOutcome(TrialStatus.PRUNED, (2.5,), details={"iterations": 30}),
        TrialOutcome(TrialStatus.FAILED, reason="of something"),
        TrialOutcome(TrialStatus.DIVERGED, (3.5,)),
    ]
    for outcome in outcomes:
        claim = search.claim()
        assert claim is not None
        search.tell(claim, outcome)
    complete, pruned, failed, diverged = search.trials()
    assert (complete.state, complete.value) == (TrialState.COMPLETE, 1.5)
    assert (pruned.state, pruned.intermediate_values) == (TrialState.PRUNED, {})  # no pruner was shown a loss
    seen = search.scored_study.get_trials()[1]
    assert (seen.state, seen.intermediate_values) == (TrialState.PRUNED, {30: 2.5})
    assert (failed.state, failed.value) == (TrialState.FAIL, None)
    assert (diverged.state, diverged.value) == (TrialState.COMPLETE, 3.5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_choice_of_sampler_is_built_with_the_seed_of_its_draw(name: str, tmp_path: Path) -> None:
    described = specification(tmp_path, SMALL, name)
    assert isinstance(described.build_sampler(5), BaseSampler)
    assert isinstance(described.open(OmegaConf.create()), Search)
    if name != "grid":
        assert type(described.build_sampler(5)).__name__ == str(SAMPLERS[name]["_target_"]).rsplit(".", 1)[1]
