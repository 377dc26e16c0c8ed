"""Racing: its arithmetic against SciPy, and raced trials against runs of all their seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.storages import BaseStorage
from rich.console import Console
from scipy import stats

from badger_sweeps.engines.base import Engine
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.reference import Reference
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.measures.objectives import per_seed
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.runs.graphs import GRAPHS_FILE, read_connectivity
from badger_sweeps.runs.run import Plan, run
from badger_sweeps.runs.summary import read_summary
from badger_sweeps.search.pruning import TrainingProgress
from badger_sweeps.search.racing import Race
from badger_sweeps.search.trial_outcome import OUTCOME, TrialOutcome, TrialStatus, status_of
from badger_sweeps.search.trial_training import run_trial
from tests.search.commands import Controller, Records, command, iterations_done, sweep, wait_until
from tests.search.planned import ITERATIONS, TRAINING, Recorder, begin, finish, make_search, plan, rows

times = st.lists(st.integers(0, 2000), min_size=2, max_size=12)


@given(st.integers(1, 60), st.integers(2, 12))
def test_stages_add_all_seeds_in_order_and_double_them(count: int, start: int) -> None:
    seeds = tuple(range(100, 100 + count))
    stages = list(Race(start=start).stages(seeds))
    assert sum(stages, ()) == seeds
    totals = np.cumsum([len(stage) for stage in stages])
    assert totals[:-1].tolist() == [start * 2**number for number in range(len(stages) - 1)]
    assert totals[-1] == count <= start * 2 ** (len(stages) - 1)


@pytest.mark.parametrize(
    ("start", "confidence", "seeds", "levels"),
    [
        (6, 0.95, 8, {6: 1 / 40}),
        (6, 0.95, 6, {}),  # all of them in the first stage
        (3, 0.95, 8, {6: 1 / 40}),  # three reach 1/8 at best
        (3, 0.95, 6, {}),
        (5, 0.95, 8, {}),  # five reach 1/32
        (5, 0.9, 8, {5: 1 / 20}),
        (3, 0.75, 8, {3: 1 / 8}),  # and nothing is left for six
        (6, 0.75, 13, {6: 1 / 16, 12: 1 / 16}),
        (6, 0.95, 13, {6: 1 / 64, 12: 1 / 40 - 1 / 64}),  # six do not reach half of 1/40
        (3, 0.9, 25, {6: 1 / 40, 12: 1 / 80, 24: 1 / 80}),
    ],
)
def test_each_look_that_can_end_a_trial_has_its_share_of_the_promise(
    start: int, confidence: float, seeds: int, levels: dict[int, float]
) -> None:
    race = Race(start=start, confidence=confidence)
    assert race.significance_levels(seeds) == pytest.approx(levels)
    assert sum(levels.values()) == pytest.approx(race.error_rate if levels else 0)
    for begun, level in race.significance_levels(seeds).items():
        assert race.is_worse(np.full(begun, 8.0), np.zeros(begun), level)  # worse on every seed


@given(st.integers(2, 9), st.floats(0.51, 0.999), st.integers(1, 100))
def test_all_looks_together_have_no_more_than_was_promised(start: int, confidence: float, seeds: int) -> None:
    race = Race(start=start, confidence=confidence)
    levels = race.significance_levels(seeds)
    assert sum(levels.values()) <= race.error_rate * (1 + 1e-12)
    assert all(begun < seeds and 0.5**begun <= level for begun, level in levels.items())


def fraction(differences: NDArray[np.float64]) -> Fraction:
    """The share of all flips of signs with a sum at least as large, counted out."""
    flips = np.array(list(product([1, -1], repeat=len(differences))))
    return Fraction(int((flips @ np.abs(differences) >= differences.sum()).sum()), len(flips))


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=10), st.floats(0.001, 0.5))
def test_a_trial_has_lost_where_few_flips_of_signs_make_it_worse(differences: list[int], level: float) -> None:
    values = np.array(differences, dtype=float)
    assert Race().is_worse(values + 100, np.full(len(values), 100.0), level) == (fraction(values) <= level)


@pytest.mark.parametrize(
    ("start", "confidence", "seeds"), [(6, 0.95, 8), (2, 0.51, 9), (3, 0.6, 8), (4, 0.75, 9), (4, 0.6, 10)]
)
@pytest.mark.parametrize(
    "sizes",
    [
        [5, 1, 4, 2, 6, 3, 9, 8, 7, 10],
        [8, 8, 8, 8, 8, 8, 8, 8, 8, 8],  # a block each
        [0, 8, 0, 8, 0, 8, 8, 0, 8, 8],  # some equal, as of seeds that have not escaped
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 900],
    ],
    ids=["different", "alike", "ties", "one large"],
)
def test_of_all_signs_that_differences_may_have_few_end_a_trial_at_any_look(
    start: int, confidence: float, seeds: int, sizes: list[int]
) -> None:
    """Counted out: where trial and incumbent are alike, all are as likely, whatever the sizes of the differences."""
    race = Race(start=start, confidence=confidence)
    levels = race.significance_levels(seeds)
    assert levels

    @cache
    def lost(differences: tuple[int, ...]) -> bool:
        return race.is_worse(np.array(differences, dtype=float), np.zeros(len(differences)), levels[len(differences)])

    ended = [
        any(lost(tuple(sign * size for sign, size in zip(signs[:look], sizes, strict=False))) for look in levels)
        for signs in product([1, -1], repeat=max(levels))
    ]
    assert np.mean(ended) <= race.error_rate


def drawn(name: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """What 9 seeds of one configuration count: times to the block of 8, cut off at a budget of 400."""
    times = {
        "waiting": lambda: rng.exponential(200, 9),  # of which an eighth reach the budget
        "hard seeds": lambda: 50 * np.arange(1, 10) + rng.normal(0, 60, 9),
        "heavy tails": lambda: np.abs(rng.standard_cauchy(9)) * 50,
    }[name]()
    return np.clip(np.round(times / 8) * 8, 0, 400)


@pytest.mark.parametrize("name", ["waiting", "hard seeds", "heavy tails"])
def test_over_all_looks_few_are_ended_that_are_as_good_as_incumbents_that_change(name: str) -> None:
    """Of 2000 trials with two looks, each against another incumbent, as many as is promised, and four standard errors.

    Each look alone ends about an eighth at the level of the promise: were it not shared, it would be a fifth in all.
    """
    race, rng, trials, ended = Race(start=4, confidence=0.75), np.random.default_rng(0), 2000, 0
    levels = race.significance_levels(9)
    assert len(levels) == 2
    for _ in range(trials):
        values = drawn(name, rng)
        ended += any(race.is_worse(values[:look], drawn(name, rng)[:look], level) for look, level in levels.items())
    tolerance = 4 * np.sqrt(race.error_rate * (1 - race.error_rate) / trials)
    assert ended / trials <= race.error_rate + tolerance


LEVEL = Race().significance_levels(8)[6]


@given(times)
def test_nobody_loses_to_an_equal_or_to_somebody_worse(times: list[int]) -> None:
    assert not Race().is_worse(times, times, LEVEL)
    assert not Race().is_worse(times, [time + 1 for time in times], LEVEL)


def test_on_few_seeds_even_the_same_difference_on_all_of_them_may_be_chance() -> None:
    """It is as likely as each of the 2^n - 1 other choices of signs: it would end an eighth on three."""
    times = np.array([40.0, 80, 160, 240, 320, 400])
    assert not Race().is_worse(times[:3], times[:3] - 8, LEVEL)
    assert not Race().is_worse(times[:5], times[:5] - 8, LEVEL)
    assert Race().is_worse(times, times - 8, LEVEL)
    assert not Race().is_worse(times, times - [8, 8, 8, 8, 8, 0], LEVEL)


def test_a_hard_seed_is_hard_for_both() -> None:
    """Far apart from seed to seed, and always a little worse: unpaired nobody could tell."""
    other = np.array([100.0, 900, 2000, 400, 1500, 1200])
    times = other + np.array([20, 30, 25, 10, 35, 15])
    assert Race().is_worse(times, other, LEVEL)
    assert stats.ttest_ind(times, other).pvalue > 0.9


# Raced trials. The first trial of a search has nobody to race against, and is trained on all its seeds.

SHORT = replace(TRAINING, iterations=30)
WILD = {"optimizer": SGD(lr=0.4), "training": replace(SHORT, clip_norm=None)}
"""With this some seeds diverge, not all at once."""


def finished(of: Plan) -> Plan:
    """The plan's run, trained as a plain one."""
    run(of, Console(quiet=True))
    return of


def race_through(of: Plan, folder: Path, start: int = 3) -> Plan:
    """The plan's run, trained as the first trial of a study."""
    run_trial(of, begin(make_search(folder), race=Race(start=start)))
    return of


@pytest.mark.parametrize("changes", [{"training": SHORT}, WILD], ids=["tame", "wild"])
def test_a_raced_trial_is_made_of_the_runs_of_its_stages_to_the_bit(changes: dict[str, Any], tmp_path: Path) -> None:
    """Measures and seeds that diverge included; in the order of the seeds as they were given."""
    seeds, measures = (5, 3, 11, 2, 7), Measures(every=10)
    raced = race_through(plan(tmp_path / "0", measures=measures, seeds=seeds, **changes), tmp_path)
    stages = [
        finished(plan(tmp_path / str(group), measures=measures, seeds=group, **changes))
        for group in (seeds[:3], seeds[3:])
    ]
    merged, outcomes = rows(raced.folder), read_summary(raced.folder).outcomes
    assert [outcome.seed for outcome in outcomes] == list(seeds)
    for stage in stages:
        part = merged[merged["seed"].isin(stage.experiment.seeds)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, rows(stage.folder), check_exact=True)
        summary = read_summary(stage.folder)
        assert summary.outcomes == tuple(one for one in outcomes if one.seed in stage.experiment.seeds)
    assert any(outcome.diverged for outcome in outcomes) == (changes is WILD)
    for _, now in merged.groupby("iteration"):
        assert now["seed"].tolist() == [seed for seed in seeds if seed in set(now["seed"])]
    assert merged["iteration"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("engine", "identical"),
    [
        # Each member's gradients are the same bits in every population. PyTorch's optimisers round the last few
        # numbers of a population differently, so that one weight of one member may differ after some iterations.
        (Native(), 5),
        # Batched products may be summed in another order for another number of members, from the start.
        (Reference(), 0),
    ],
    ids=["native", "reference"],
)
def test_a_raced_trial_is_the_run_of_all_its_seeds_up_to_rounding(
    engine: Engine, identical: int, tmp_path: Path
) -> None:
    raced = race_through(plan(tmp_path / "0", engine=engine, training=SHORT), tmp_path)
    together = finished(plan(tmp_path / "1", engine=engine, training=SHORT))
    merged, expected = rows(raced.folder), rows(together.folder)
    assert merged.columns.tolist() == expected.columns.tolist()
    assert merged.dtypes.tolist() == expected.dtypes.tolist()
    pd.testing.assert_frame_equal(merged[["seed", "iteration"]], expected[["seed", "iteration"]])
    first = expected["iteration"] < identical
    pd.testing.assert_frame_equal(merged[first], expected[first], check_exact=True)
    # Rounding is 6e-8; Adam's first steps do not depend on a gradient's size and amplify it most, up to the learning
    # rate. Thirty of them were seen to leave 1e-6, and a mistaken seed, graph or game differs by tenths.
    np.testing.assert_allclose(merged["loss"], expected["loss"], rtol=1e-3)
    assert read_connectivity(raced.folder) == read_connectivity(together.folder)
    assert read_summary(raced.folder).staircase == read_summary(together.folder).staircase
    graphs = [json.loads((of.folder / GRAPHS_FILE).read_text()) for of in (raced, together)]
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize("start", [8, 20])
def test_files_of_a_raced_history_are_those_of_one_run(start: int, tmp_path: Path) -> None:
    """Byte for byte where one stage has all seeds, so that whoever reads them cannot tell: schema and compression."""
    measures = Measures(every=10)
    raced = race_through(plan(tmp_path / "0", measures=measures, training=SHORT), tmp_path, start)
    together = finished(plan(tmp_path / "1", measures=measures, training=SHORT))
    files = [sorted((of.folder / "history.parquet").iterdir()) for of in (raced, together)]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    for name in ("summary.json", GRAPHS_FILE):
        assert (raced.folder / name).read_bytes() == (together.folder / name).read_bytes()


QUICK = Adam(lr=0.015)


def test_a_trial_that_is_worse_on_the_first_seeds_is_out_and_says_why(tmp_path: Path) -> None:
    search = make_search(tmp_path)
    finish(begin(search, race=Race()), plan(tmp_path / "0", optimizer=QUICK))
    slow = plan(tmp_path / "1", optimizer=Adam(lr=1e-5))
    (value,) = finish(begin(search, race=Race()), slow)
    raced = search.trials()[1]
    rival = [search.trials()[0].user_attrs[OUTCOME]["per_seed"][str(seed)] for seed in range(6)]
    assert max(rival) < ITERATIONS
    assert value == ITERATIONS
    assert status_of(raced) == TrialStatus.PRUNED
    worse = f"worse than the incumbent by {ITERATIONS - np.mean(rival):.4g} on average"
    words = f"out of the race after 6 seeds: {worse}, p = 0.016"
    assert raced.user_attrs[OUTCOME] == {"state": "pruned", "reason": words, "iterations": ITERATIONS, "seeds": 6}
    seen = search.scored_study.get_trials()[1].intermediate_values
    assert seen == {ITERATIONS: ITERATIONS}  # the mean over the seeds that have begun, as of every pruned trial
    assert not (slow.folder / "summary.json").exists()
    assert [path.name for path in slow.folder.glob("stage-*")] == ["stage-0"]


def test_nobody_races_against_a_trial_that_breaks_a_constraint(tmp_path: Path) -> None:
    """It may not be chosen: a trial that is worse than it may still be the best."""
    search = make_search(tmp_path)
    forbidden = begin(search, race=Race())
    values = run_trial(plan(tmp_path / "0", optimizer=QUICK), forbidden)
    outcome = TrialOutcome(forbidden.status, values, details=forbidden.details, constraints={"diverged": 0.1})
    search.tell(forbidden.claim, outcome)
    worse = begin(search, race=Race())
    finish(worse, plan(tmp_path / "1"))
    parts = [[trial.details["per_seed"][str(seed)] for seed in range(6)] for trial in (worse, forbidden)]
    assert Race().is_worse(*parts, LEVEL)  # or the test would show nothing
    assert worse.status == TrialStatus.COMPLETED


def test_a_bound_counts_what_the_earlier_stages_have_cost(tmp_path: Path) -> None:
    """Seeds that have not begun cost nothing yet, so that the bound holds for the whole trial."""
    recorder = Recorder()
    planned = plan(tmp_path / "0", optimizer=Adam(lr=0.003))
    run_trial(planned, begin(make_search(tmp_path), recorder, Race(start=4)))
    stage = len(recorder.shown) // 2
    parts = per_seed("escape_iteration", read_summary(planned.folder).outcomes, ITERATIONS)
    assert recorder.shown[stage - 1].bound <= parts[:4].sum() / 8
    assert recorder.shown[stage].bound == parts[:4].sum() / 8 + 8 * 4 / 8  # the second stage's first pruning check
    assert recorder.shown[-1].bound <= parts.mean()


class StopsAfter(Recorder):
    """Prunes a trial at its pruning check of this number."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self._checks = checks

    def reason_to_prune(
        self, study: optuna.Study, storage: BaseStorage, trial_id: int, progress: TrainingProgress
    ) -> str | None:
        super().reason_to_prune(study, storage, trial_id, progress)
        return "as planned" if len(self.shown) == self._checks else None


def test_what_samplers_see_of_a_stopped_trial_leaves_out_the_seeds_that_have_not_begun(tmp_path: Path) -> None:
    """Or it would look the better the fewer had, beside trials that lost a race. The bound counts them as nothing."""
    whole, recorder = plan(tmp_path / "whole"), Recorder()
    run_trial(whole, begin(make_search(tmp_path / "a"), recorder, Race(start=2)))
    parts = per_seed("escape_iteration", read_summary(whole.folder).outcomes, ITERATIONS)
    place = next(
        place for place, (check, last) in enumerate(pairwise(recorder.shown)) if last.iteration < check.iteration
    )
    stops = StopsAfter(place + 2)  # the second stage's first pruning check
    (value,) = finish(begin(make_search(tmp_path / "b"), stops, Race(start=2)), plan(tmp_path / "0"))
    assert stops.shown[-1].iteration == 8
    assert stops.shown[-1].bound == (parts[:2].sum() + 2 * 8) / 8
    assert value == (parts[:2].sum() + 2 * 8) / 4


def test_a_race_about_a_loss_is_told_in_losses(tmp_path: Path) -> None:
    """As what a pruner stops is: plateaus are counted in iterations, and have no bound."""
    search = make_search(tmp_path)
    finish(begin(search, race=Race()), plan(tmp_path / "0", "plateau_iterations", optimizer=QUICK))
    lost = begin(search, race=Race())
    slow = plan(tmp_path / "1", "plateau_iterations", optimizer=Adam(lr=1e-5))
    (value,) = finish(lost, slow)
    assert lost.status == TrialStatus.PRUNED
    assert value == pytest.approx(rows(slow.folder / "stage-0").query(f"iteration >= {ITERATIONS - 50}")["loss"].mean())


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("3", "` must be null or a mapping such as {start: 3}; found 3."),
        ("{start: 1}", ".start` must be at least 2; found 1."),
        ("{begin: 3}", ".begin` is not a known key.\n"),
        ("{start: 3}", "` must be able to end a trial before its last seed"),  # there are two
    ],
)
def test_a_race_that_makes_no_sense_is_refused_in_one_line(given: str, rule: str, tmp_path: Path) -> None:
    refused = sweep(tmp_path / "s", f"hydra.sweeper.racing={given}")
    assert refused.returncode == 2
    assert f"`hydra.sweeper.racing{rule}" in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert not (tmp_path / "s").exists()


RACED = (
    "hydra.sweeper.n_trials=5",
    "hydra.sweeper.racing={start: 3, confidence: 0.75}",  # with which three seeds can end a trial
    "seeds=4",
    "task.dims=2",
    "training.batch_size=64",
    "training.iterations=400",
    "training.checkpoint_every=50",
    "hydra.sweeper.warm_start=[{optimizer.lr:0.01}]",
)


@pytest.mark.slow
def test_a_raced_sweep_goes_on_after_an_interruption_and_comes_to_the_same(tmp_path: Path) -> None:
    """In the middle of a later stage, when an earlier one is over and is not trained again."""
    undisturbed = sweep(tmp_path / "a", *RACED)
    assert undisturbed.returncode == 0, undisturbed.stderr
    folder = tmp_path / "b"
    controller = Controller(command(folder, *RACED), tmp_path / "log")
    wait_until(lambda: iterations_done(folder / "0" / "stage-1") > 20, controller)
    controller.signal(15)
    assert controller.wait() == 143
    assert not (folder / "0" / "summary.json").exists()
    again = sweep(folder, *RACED)
    assert again.returncode == 0, again.stderr
    expected = Records.of(tmp_path / "a").trials()
    assert "out of the race" in " ".join(trial.user_attrs[OUTCOME]["reason"] for trial in expected)
    for found, other in zip(Records.of(folder).trials(), expected, strict=True):
        assert found.user_attrs[OUTCOME] == other.user_attrs[OUTCOME]
        assert found.params == other.params
        for history in sorted((tmp_path / "a" / str(other.number)).rglob("history.parquet")):
            same = folder / history.relative_to(tmp_path / "a")
            pd.testing.assert_frame_equal(rows(same.parent), rows(history.parent), check_exact=True)
    assert (folder / "0" / "summary.json").exists()
