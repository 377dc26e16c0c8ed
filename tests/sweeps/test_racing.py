"""Racing: its arithmetic against SciPy, and raced trials against runs of all their seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from badger_sweeps.runs.graphs import NAME as GRAPHS
from badger_sweeps.runs.graphs import read_connectivity
from badger_sweeps.runs.run import Plan, run
from badger_sweeps.runs.summary import read_summary
from badger_sweeps.sweeps.outcome import OUTCOME, Outcome, State, state_of
from badger_sweeps.sweeps.pruning import Standing
from badger_sweeps.sweeps.racing import Race
from badger_sweeps.sweeps.work import run_trial
from tests.sweeps.commands import Controller, Records, command, iterations_done, sweep, wait_until
from tests.sweeps.planned import ITERATIONS, TRAINING, Recorder, begin, finish, plan, rows, study

times = st.lists(st.integers(0, 2000), min_size=2, max_size=12)


@given(st.integers(1, 60), st.integers(2, 12))
def test_stages_add_all_seeds_in_order_and_double_them(count: int, start: int) -> None:
    seeds = tuple(range(100, 100 + count))
    stages = list(Race(start=start).stages(seeds))
    assert sum(stages, ()) == seeds
    totals = np.cumsum([len(stage) for stage in stages])
    assert totals[:-1].tolist() == [start * 2**number for number in range(len(stages) - 1)]
    assert totals[-1] == count <= start * 2 ** (len(stages) - 1)


@given(st.data(), st.floats(0.51, 0.999))
def test_the_interval_is_that_of_the_paired_t_test(data: st.DataObject, confidence: float) -> None:
    own = np.array(data.draw(times), dtype=float)
    other = np.array([data.draw(st.integers(0, 2000)) for _ in own], dtype=float)
    race = Race(confidence=confidence)
    interval = race.interval(own - other)
    if np.ptp(own - other) == 0:
        assert interval == (own[0] - other[0],) * 2
        return
    test = stats.ttest_rel(own, other)
    expected = test.confidence_interval(confidence)
    scale = np.abs(own - other).max()
    np.testing.assert_allclose(interval, (expected.low, expected.high), rtol=1e-9, atol=1e-9 * scale)
    if abs(test.pvalue - (1 - confidence)) > 1e-9:  # not on the edge, where rounding decides
        assert race.lost(own, other) == (test.statistic > 0 and test.pvalue < 1 - confidence)


@given(times)
def test_nobody_loses_to_an_equal_or_to_somebody_worse(own: list[int]) -> None:
    assert not Race().lost(own, own)
    assert not Race().lost(own, [time + 1 for time in own])


def test_a_difference_that_is_the_same_for_all_seeds_is_certain() -> None:
    assert Race().lost([40, 80, 160], [32, 72, 152])
    assert Race().interval([8, 8, 8]) == (8, 8)


def test_a_hard_seed_is_hard_for_both() -> None:
    """Far apart from seed to seed, and always a little worse: unpaired nobody could tell."""
    own, other = np.array([100, 900, 2000]) + np.array([20, 30, 25]), np.array([100, 900, 2000])
    assert Race().lost(own, other)
    assert stats.ttest_ind(own, other).pvalue > 0.9


# Raced trials. The first trial of a study has nobody to race against, and is trained on all its seeds.

SHORT = replace(TRAINING, iterations=30)
WILD = {"optimizer": SGD(lr=0.4), "training": replace(SHORT, clip_norm=None)}
"""With this some seeds diverge, not all at once."""


def finished(of: Plan) -> Plan:
    """The plan's run, trained as a plain one."""
    run(of, Console(quiet=True))
    return of


def race_through(of: Plan, folder: Path, start: int = 3) -> Plan:
    """The plan's run, trained as the first trial of a study."""
    run_trial(of, begin(study(folder), race=Race(start=start)))
    return of


@pytest.mark.parametrize("changes", [{"training": SHORT}, WILD], ids=["tame", "wild"])
def test_a_raced_trial_is_made_of_the_runs_of_its_stages_to_the_bit(changes: dict[str, Any], tmp_path: Path) -> None:
    """Measures and seeds that diverge included; in the order of the seeds as they were given."""
    seeds, measures = (5, 3, 11, 2, 7), Measures(every=10)
    raced = race_through(plan(tmp_path / "0", measures=measures, seeds=seeds, **changes), tmp_path)
    stages = [
        finished(plan(tmp_path / str(own), measures=measures, seeds=own, **changes)) for own in (seeds[:3], seeds[3:])
    ]
    own, outcomes = rows(raced.folder), read_summary(raced.folder).outcomes
    assert [outcome.seed for outcome in outcomes] == list(seeds)
    for stage in stages:
        part = own[own["seed"].isin(stage.experiment.seeds)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, rows(stage.folder), check_exact=True)
        summary = read_summary(stage.folder)
        assert summary.outcomes == tuple(one for one in outcomes if one.seed in stage.experiment.seeds)
    assert any(outcome.diverged for outcome in outcomes) == (changes is WILD)
    for _, now in own.groupby("iteration"):
        assert now["seed"].tolist() == [seed for seed in seeds if seed in set(now["seed"])]
    assert own["iteration"].is_monotonic_increasing


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
    own, expected = rows(raced.folder), rows(together.folder)
    assert own.columns.tolist() == expected.columns.tolist()
    assert own.dtypes.tolist() == expected.dtypes.tolist()
    pd.testing.assert_frame_equal(own[["seed", "iteration"]], expected[["seed", "iteration"]])
    first = expected["iteration"] < identical
    pd.testing.assert_frame_equal(own[first], expected[first], check_exact=True)
    # Rounding is 6e-8; Adam's first steps do not depend on a gradient's size and amplify it most, up to the learning
    # rate. Thirty of them were seen to leave 1e-6, and a mistaken seed, graph or game differs by tenths.
    np.testing.assert_allclose(own["loss"], expected["loss"], rtol=1e-3)
    assert read_connectivity(raced.folder) == read_connectivity(together.folder)
    assert read_summary(raced.folder).ladder == read_summary(together.folder).ladder
    graphs = [json.loads((of.folder / GRAPHS).read_text()) for of in (raced, together)]
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize("start", [8, 20])
def test_files_of_a_raced_history_are_those_of_one_run(start: int, tmp_path: Path) -> None:
    """Byte for byte where one stage has all seeds, so that whoever reads them cannot tell: schema and compression."""
    measures = Measures(every=10)
    raced = race_through(plan(tmp_path / "0", measures=measures, training=SHORT), tmp_path, start)
    together = finished(plan(tmp_path / "1", measures=measures, training=SHORT))
    files = [sorted((of.folder / "history.parquet").iterdir()) for of in (raced, together)]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    for name in ("summary.json", GRAPHS):
        assert (raced.folder / name).read_bytes() == (together.folder / name).read_bytes()


QUICK = Adam(lr=0.015)


def test_a_trial_that_is_worse_on_the_first_seeds_is_out_and_says_why(tmp_path: Path) -> None:
    own = study(tmp_path)
    finish(begin(own, race=Race()), plan(tmp_path / "0", optimizer=QUICK))
    slow = plan(tmp_path / "1", optimizer=Adam(lr=1e-5))
    (value,) = finish(begin(own, race=Race()), slow)
    told = own.trials()[1]
    rival = [own.trials()[0].user_attrs[OUTCOME]["per_seed"][str(seed)] for seed in range(3)]
    low, high = Race().interval(np.array([ITERATIONS] * 3) - np.array(rival))
    assert low > 0
    assert value == ITERATIONS
    assert state_of(told) == State.PRUNED
    words = f"out of the race after 3 seeds: worse than the incumbent by {low:.4g} to {high:.4g}"
    assert told.user_attrs[OUTCOME] == {"state": "pruned", "reason": words, "iterations": ITERATIONS, "seeds": 3}
    seen = own.scored.get_trials()[1].intermediate_values
    assert seen == {ITERATIONS: ITERATIONS}  # the mean over the seeds that have begun, as of every pruned trial
    assert not (slow.folder / "summary.json").exists()
    assert [path.name for path in slow.folder.glob("stage-*")] == ["stage-0"]


def test_nobody_races_against_a_trial_that_breaks_a_constraint(tmp_path: Path) -> None:
    """It may not be chosen: a trial that is worse than it may still be the best."""
    own = study(tmp_path)
    forbidden = begin(own, race=Race())
    values = run_trial(plan(tmp_path / "0", optimizer=QUICK), forbidden)
    told = Outcome(forbidden.state, values, details=forbidden.details, constraints={"diverged": 0.1})
    own.tell(forbidden.claim, told)
    worse = begin(own, race=Race())
    finish(worse, plan(tmp_path / "1"))
    parts = [[trial.details["per_seed"][str(seed)] for seed in range(3)] for trial in (worse, forbidden)]
    assert Race().lost(*parts)  # or the test would show nothing
    assert worse.state == State.COMPLETED


def test_a_bound_counts_what_the_earlier_stages_have_cost(tmp_path: Path) -> None:
    """Seeds that have not begun cost nothing yet, so that the bound holds for the whole trial."""
    recorder = Recorder()
    planned = plan(tmp_path / "0", optimizer=Adam(lr=0.003))
    run_trial(planned, begin(study(tmp_path), recorder, Race(start=4)))
    stage = len(recorder.shown) // 2
    parts = per_seed("escape_iteration", read_summary(planned.folder).outcomes, ITERATIONS)
    assert recorder.shown[stage - 1].bound <= parts[:4].sum() / 8
    assert recorder.shown[stage].bound == parts[:4].sum() / 8 + 8 * 4 / 8  # the second stage's first verdict
    assert recorder.shown[-1].bound <= parts.mean()


class StopsAfter(Recorder):
    """Stops a trial at its verdict of this number."""

    def __init__(self, verdicts: int) -> None:
        super().__init__()
        self._verdicts = verdicts

    def verdict(self, study: optuna.Study, storage: BaseStorage, trial_id: int, standing: Standing) -> str | None:
        super().verdict(study, storage, trial_id, standing)
        return "told to" if len(self.shown) == self._verdicts else None


def test_what_samplers_see_of_a_stopped_trial_leaves_out_the_seeds_that_have_not_begun(tmp_path: Path) -> None:
    """Or it would look the better the fewer had, beside trials that lost a race. The bound counts them as nothing."""
    whole, recorder = plan(tmp_path / "whole"), Recorder()
    run_trial(whole, begin(study(tmp_path / "a"), recorder, Race(start=2)))
    parts = per_seed("escape_iteration", read_summary(whole.folder).outcomes, ITERATIONS)
    place = next(place for place, (own, last) in enumerate(pairwise(recorder.shown)) if last.iteration < own.iteration)
    stops = StopsAfter(place + 2)  # the second stage's first verdict
    (value,) = finish(begin(study(tmp_path / "b"), stops, Race(start=2)), plan(tmp_path / "0"))
    assert stops.shown[-1].iteration == 8
    assert stops.shown[-1].bound == (parts[:2].sum() + 2 * 8) / 8
    assert value == (parts[:2].sum() + 2 * 8) / 4


def test_a_race_about_a_loss_is_told_in_losses(tmp_path: Path) -> None:
    """As what a pruner stops is: plateaus are counted in iterations, and have no bound."""
    own = study(tmp_path)
    finish(begin(own, race=Race()), plan(tmp_path / "0", "plateau_iterations", optimizer=QUICK))
    lost = begin(own, race=Race())
    slow = plan(tmp_path / "1", "plateau_iterations", optimizer=Adam(lr=1e-5))
    (value,) = finish(lost, slow)
    assert lost.state == State.PRUNED
    assert value == pytest.approx(rows(slow.folder / "stage-0").query(f"iteration >= {ITERATIONS - 50}")["loss"].mean())


@pytest.mark.parametrize("given", ["3", "{start: 1}", "{begin: 3}"])
def test_a_race_that_makes_no_sense_is_refused_in_one_line(given: str, tmp_path: Path) -> None:
    refused = sweep(tmp_path / "s", f"hydra.sweeper.racing={given}")
    assert refused.returncode == 2
    assert "hydra.sweeper.racing" in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert not (tmp_path / "s").exists()


RACED = (
    "hydra.sweeper.n_trials=5",
    "hydra.sweeper.racing.start=2",
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
    for own, other in zip(Records.of(folder).trials(), expected, strict=True):
        assert own.user_attrs[OUTCOME] == other.user_attrs[OUTCOME]
        assert own.params == other.params
        for history in sorted((tmp_path / "a" / str(other.number)).rglob("history.parquet")):
            same = folder / history.relative_to(tmp_path / "a")
            pd.testing.assert_frame_equal(rows(same.parent), rows(history.parent), check_exact=True)
    assert (folder / "0" / "summary.json").exists()
