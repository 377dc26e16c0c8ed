"""Measures within a run: they change no training, are recorded once, and survive stops and changed settings."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from badger_sweeps.core.columns import Column, columns, metric
from badger_sweeps.evaluation.binding import Binding, InnerBinding
from badger_sweeps.evaluation.fixed_loss import FixedLoss
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.mutual_information import MutualInformation
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.runs.checkpoint import Checkpointer, snapshots
from badger_sweeps.runs.history import History, read_columns, read_history
from badger_sweeps.runs.recorded_losses import read_losses, recorded_loss_history
from badger_sweeps.runs.run import Plan, run
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.training.experiment import Training
from badger_sweeps.training.loop import Record, Records, metric_columns, train, train_in_chunks
from badger_sweeps.training.population import Population
from tests.choices import UNMEASURED
from tests.evaluation.populations import experiment, only

SOME = replace(
    UNMEASURED, fixed_loss=FixedLoss(every=4), binding=Binding(every=10), inner_binding=InnerBinding(every=20)
)


def plan(folder: Path, measures: Measures, iterations: int = 30, snapshot_every: int | None = 10) -> Plan:
    training = Training(
        iterations=iterations, batch_size=16, inner_steps=6, checkpoint_every=7, snapshot_every=snapshot_every
    )
    setup = experiment(training=training)
    return Plan(setup, measures, folder, "test", (), {}, "escape_iteration", Disabled())


def finish(started: Plan) -> pd.DataFrame:
    started.folder.mkdir(exist_ok=True)
    run(started, Console(file=io.StringIO()))
    return read_history(started.folder)


def test_measures_are_columns_of_the_history_at_their_own_cadence(tmp_path: Path) -> None:
    history = finish(plan(tmp_path, SOME))
    every = {"evaluation/loss": 4, "evaluation/loss_dim/1": 4, "binding/outer": 10, "binding/inner": 20}
    for name, cadence in every.items():
        there = history[history[name].notna()]
        assert sorted(set(there["iteration"])) == list(range(0, 30, cadence))
        assert len(there) == 2 * len(range(0, 30, cadence))
    assert all(len(value) == 6 for value in history["binding/inner"].dropna())
    assert history[["loss", "grad_norm"]].notna().all(axis=None)
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert 0 < provenance["sessions"][0]["measuring_seconds"] < provenance["sessions"][0]["wall_seconds"]


def test_measuring_changes_nothing_that_is_trained(tmp_path: Path) -> None:
    measured, bare = finish(plan(tmp_path / "a", SOME)), finish(plan(tmp_path / "b", UNMEASURED))
    pd.testing.assert_frame_equal(measured[bare.columns.tolist()], bare, check_exact=True)
    states = [torch.load(tmp_path / name / "checkpoint.pt") for name in "ab"]
    weights = [state["population"]["parameters"] for state in states]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_measures_are_of_the_weights_before_the_iteration(tmp_path: Path) -> None:
    """Iteration 0 has the values of the untrained network, and iteration 4 those after four updates."""
    history = finish(plan(tmp_path, SOME))
    population = Population(plan(tmp_path, SOME).experiment)
    for _ in islice(train(population), 4):
        pass
    from badger_sweeps.evaluation.context import EvaluationContext
    from badger_sweeps.evaluation.games import EvaluationGames

    losses = LossHistory(population.experiment)
    seen = EvaluationContext.of(
        population, EvaluationGames(population.experiment, population.engine, 1000, 0.01), losses
    )
    recorded = history[history["iteration"] == 4]["evaluation/loss"]
    np.testing.assert_array_equal(recorded, seen.error.mean(dim=1))


@pytest.mark.parametrize("stop", [10, 11, 20])
def test_a_continued_run_equals_an_uninterrupted_one(tmp_path: Path, stop: int) -> None:
    """Also for a measure over a window of iterations, which needs the losses from before the stop."""
    looking_back = replace(SOME, sequentiality=replace(SOME.sequentiality, every=3))
    whole = finish(plan(tmp_path / "whole", looking_back, iterations=80))
    finish(plan(tmp_path / "again", looking_back, iterations=stop))
    again = finish(plan(tmp_path / "again", looking_back, iterations=80))
    pd.testing.assert_frame_equal(again, whole, check_exact=True)
    assert whole["sequentiality/index"].notna().any()


def test_measures_may_be_added_and_dropped_when_a_run_is_continued(tmp_path: Path) -> None:
    """Old columns stay; new columns are null before. Full parts of the history get the new columns too."""
    import badger_sweeps.runs.history as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_PER_PART", 12)
        finish(plan(tmp_path, only("binding", every=5), iterations=16))
        history = finish(plan(tmp_path, only("mutual_information", every=8), iterations=30))
    assert history["iteration"].tolist() == [i for i in range(30) for _ in range(2)]
    assert sorted(set(history[history["binding/outer"].notna()]["iteration"])) == [0, 5, 10, 15]
    assert sorted(set(history[history["mi/mean"].notna()]["iteration"])) == [16, 24]
    bare = finish(plan(tmp_path / "bare", UNMEASURED))
    pd.testing.assert_frame_equal(history[bare.columns.tolist()], bare, check_exact=True)


def test_a_diverged_member_is_no_longer_measured(tmp_path: Path) -> None:
    setup = plan(tmp_path, UNMEASURED).experiment
    population = Population(setup)
    measuring = MeasureRecorder(replace(UNMEASURED, fixed_loss=FixedLoss(every=1)), population, LossHistory(setup))
    records = measuring.added_to(train_in_chunks(population, measuring.next_stop))
    first = next(records)
    population.parameters.flat[0] = torch.nan
    second, third = next(records), next(records)
    assert [record.seeds for record in (first, second, third)] == [(4, 9), (4, 9), (9,)]
    assert [len(record.measures["evaluation/loss"]) for record in (first, second, third)] == [2, 2, 1]
    assert np.isnan(second.measures["evaluation/loss"][0])
    assert np.isfinite(third.measures["evaluation/loss"]).all()


def test_what_was_measured_belongs_to_the_first_of_several_iterations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("badger_sweeps.training.loop.SECONDS", 1e9)
    setup = plan(tmp_path, UNMEASURED).experiment
    population = Population(setup)
    measuring = MeasureRecorder(replace(UNMEASURED, fixed_loss=FixedLoss(every=8)), population, LossHistory(setup))
    population.draw_games()
    assert population._drawn is not None
    population._drawn.targets[12 * 2] = torch.nan  # of the first member, in iteration 12
    chunks = list(measuring.added_to(train_in_chunks(population, measuring.next_stop)))
    assert [(each.iterations, each.seeds) for each in chunks[2:4]] == [(range(8, 13), (4, 9)), (range(13, 16), (9,))]
    records = [record for each in chunks for record in each if record.measures]
    measured = {record.iteration: len(record.measures["evaluation/loss"]) for record in records}
    assert measured == {0: 2, 8: 2, 16: 1, 24: 1}


def test_the_loss_history_is_restored_from_the_recorded_history(tmp_path: Path) -> None:
    started = plan(tmp_path, SOME)
    started.folder.mkdir(exist_ok=True)
    losses = LossHistory(started.experiment)
    population = Population(started.experiment)
    history = History(tmp_path, {**metric_columns(started.experiment), **SOME.columns(started.experiment)})
    recorder = MeasureRecorder(SOME, population, losses)
    for records in recorder.added_to(train_in_chunks(population, recorder.next_stop)):
        history.observe(records)
    history.flush()
    again = recorded_loss_history(started.experiment, read_losses(tmp_path, started.experiment))
    members = torch.tensor([1, 0])
    assert torch.equal(again.losses(members), losses.losses(members))
    assert again.losses(members).shape == (2, 30)
    assert torch.equal(again.losses(members, last=7), losses.losses(members)[:, -7:])
    assert torch.equal(again.losses_by_dim(members), losses.losses_by_dim(members))
    assert torch.equal(again.evaluation_losses(members, last=100), losses.evaluation_losses(members, last=100))
    assert again.evaluation_losses(members, last=100).shape == (2, 8)


def test_snapshots_are_whole_checkpoints_from_the_first_to_the_last(tmp_path: Path) -> None:
    finish(plan(tmp_path, UNMEASURED, iterations=25))
    kept = snapshots(tmp_path)
    assert [path.name for path in kept] == ["000000000.pt", "000000010.pt", "000000020.pt"]
    population = Population(plan(tmp_path, UNMEASURED).experiment)
    untrained = torch.load(kept[0])["population"]["parameters"]
    assert all(torch.equal(untrained[name], population.parameters[name]) for name in untrained)
    population.load_state_dict(torch.load(kept[1])["population"])
    losses = [float(record.metrics["loss"][0]) for record in islice(train(population), 5)]
    history = read_history(tmp_path)
    expected = history[(history["seed"] == 4) & history["iteration"].between(10, 14)]["loss"]
    assert losses == expected.tolist()


def test_without_snapshot_every_there_are_no_snapshots(tmp_path: Path) -> None:
    finish(plan(tmp_path, UNMEASURED, snapshot_every=None))
    assert snapshots(tmp_path) == []


def test_a_restart_from_iteration_0_removes_later_snapshots(tmp_path: Path) -> None:
    finish(plan(tmp_path, UNMEASURED, iterations=30))
    population = Population(plan(tmp_path, UNMEASURED).experiment)
    Checkpointer(tmp_path, population, before=lambda: None)
    assert [path.name for path in snapshots(tmp_path)] == ["000000000.pt"]


def test_a_record_without_measures_costs_no_columns(tmp_path: Path) -> None:
    described = columns(metric("loss", ""), Column("mi/mean", ""), Column("binding/inner", "", length=3))
    history = History(tmp_path, described)
    for iteration in range(3):
        measures = {} if iteration != 1 else {
            "mi/mean": np.float32([1, np.nan]), "binding/inner": np.float32([[1, 2, 3], [4, 5, 6]]),
        }  # fmt: skip
        history.observe(Records.of(Record(iteration, (7, 8), {"loss": np.float32([1, 2])}, measures)))
    history.flush()
    read = read_history(tmp_path)
    assert read["mi/mean"].isna().tolist() == [True, True, False, True, True, True]
    assert read["binding/inner"].iloc[3].tolist() == [4, 5, 6]
    assert read["binding/inner"].iloc[0] is None


def test_every_measure_can_be_the_only_one(tmp_path: Path) -> None:
    history = finish(plan(tmp_path, replace(UNMEASURED, mutual_information=MutualInformation(every=15))))
    measured = [name for name, column in read_columns(tmp_path).items() if not column.every_iteration]
    assert set(measured) < set(history)
    assert measured == list(MutualInformation().columns(experiment()))
