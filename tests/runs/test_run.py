"""One run from Python, and the files in its folder."""

from __future__ import annotations

import io
import json
import os
import signal
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.files import replacing
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.measures.escape import escape_iteration
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.runs.checkpoint import Checkpointer, read_checkpoint
from badger_sweeps.runs.history import History, read_history
from badger_sweeps.runs.run import Interrupted, Plan, run
from badger_sweeps.runs.summary import read_summary, summarize
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.tracking.base import RunDescription, Tracker
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import Records, metric_columns, train
from badger_sweeps.training.population import Population
from tests.choices import UNMEASURED


def plan(folder: Path, measures: Measures = UNMEASURED, **changes: object) -> Plan:
    settings = {
        "architecture": GRU(hidden=8, message=4),
        "topology": RandomLinks(experts=4, links=2),
        "optimizer": Adam(lr=0.01),
        "training": Training(iterations=120, batch_size=32, inner_steps=4, checkpoint_every=50),
        "seeds": (5, 3),
        "device": "cpu",
    }
    experiment = Experiment(**{**settings, **changes})
    return Plan(experiment, measures, folder, "test", ("gru",), {}, "escape_iteration", Disabled())


def silent() -> Console:
    return Console(file=io.StringIO())


def test_the_files_of_a_run(tmp_path: Path) -> None:
    summary = run(plan(tmp_path), silent())
    history = pd.read_parquet(tmp_path / "history.parquet")
    dims = [f"loss_dim/{dim}" for dim in range(4)]
    assert list(history.columns) == [
        "seed", "iteration", "loss", *dims, "grad_norm", "diverged", "cost/evaluations", "schedule/lr",
        "plateau/rung", "plateau/index",
    ]  # fmt: skip
    assert history["seed"].tolist() == [5, 3] * 120
    assert history["iteration"].tolist() == [i for i in range(120) for _ in range(2)]
    np.testing.assert_allclose(history["loss"], history[dims].mean(axis=1), rtol=1e-5)
    content = json.loads((tmp_path / "summary.json").read_text())
    assert [seed["seed"] for seed in content["seeds"]] == [5, 3]
    assert content["objective"]["name"] == "escape_iteration"
    (code,) = tmp_path.glob("code-*.zip")
    assert {path.name for path in tmp_path.iterdir()} - {code.name} == {
        "history.parquet", "summary.json", "topology.json", "provenance.json", "checkpoint.pt", "snapshots", ".lock",
    }  # fmt: skip
    assert read_summary(tmp_path) == summary


def test_graphs_are_recorded_with_their_spectra(tmp_path: Path) -> None:
    planned = plan(tmp_path, training=Training(iterations=2, batch_size=4, inner_steps=2))
    run(planned, silent())
    graphs = planned.experiment.graphs
    recorded = json.loads((tmp_path / "topology.json").read_text())
    summaries = json.loads((tmp_path / "summary.json").read_text())["seeds"]
    for graph, record, summary in zip(graphs, recorded, summaries, strict=True):
        adjacency = np.zeros((4, 4), dtype=bool)
        for sender, receiver in record["pairs"]:
            adjacency[receiver, sender] = True
        assert adjacency.tolist() == graph.tolist()
        laplacian = np.diag(adjacency.sum(1)) - adjacency.astype(float)
        measures = summary["topology"]
        assert (measures["experts"], measures["edges"], measures["eigenratio"]) == (4, 8, None)
        assert measures["consensus_rate"] == pytest.approx(np.sort(np.linalg.eigvals(laplacian).real)[1])
        assert {"seed": summary["seed"], **measures, "pairs": record["pairs"]} == record


def test_the_summary_follows_from_the_history(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    summary = run(planned, silent())
    history = pd.read_parquet(tmp_path / "history.parquet")
    for outcome in summary.outcomes:
        loss = history.loc[history["seed"] == outcome.seed, "loss"].to_numpy()
        assert outcome.escape_iteration == escape_iteration(loss, planned.staircase)
        assert outcome.final_loss == pytest.approx(loss[-50:].mean(), rel=1e-6)


def test_a_diverged_member_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_games = Population.draw_games

    def sabotaged(population: Population, iterations: int = 1) -> object:
        games = draw_games(population, iterations)
        if 0 <= 70 - population.iteration < iterations:
            games.targets[(70 - population.iteration) * len(population.active)] = np.nan
        return games

    monkeypatch.setattr(Population, "draw_games", sabotaged)
    run(plan(tmp_path), silent())
    first, second = json.loads((tmp_path / "summary.json").read_text())["seeds"]
    assert (first["diverged"], first["iterations"], first["escape_iteration"], first["final_loss"]) == (
        True,
        71,
        None,
        None,
    )
    assert (second["diverged"], second["iterations"]) == (False, 120)
    history = pd.read_parquet(tmp_path / "history.parquet")
    assert len(history) == 71 + 120


def test_a_member_may_diverge_while_its_losses_are_finite(tmp_path: Path) -> None:
    """A rule says so where, say, a gradient is not finite. It is marked all the same, and counts as not solved."""
    planned = plan(tmp_path)
    run(planned, silent())
    columns = metric_columns(planned.experiment)
    metrics = {name: np.zeros((120, 2), dtype=np.float32) for name in columns}
    metrics["diverged"][-1, 1] = 1
    history = History(tmp_path, columns)
    history.observe(Records(range(120), (5, 3), metrics))
    history.flush()
    summary = summarize(tmp_path, "test", 120, planned.staircase, "solved_iteration")
    assert [outcome.diverged for outcome in summary.outcomes] == [False, True]
    assert [outcome.solved_iteration for outcome in summary.outcomes] == [0, None]


def test_a_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail_halfway() -> None:
        with replacing(path) as file:
            file.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_never_runs_ahead_of_its_history(tmp_path: Path) -> None:
    training = Training(iterations=2, batch_size=4, inner_steps=2, checkpoint_every=1, snapshot_every=None)
    population = Population(plan(tmp_path, training=training).experiment)
    seen: list[list[str]] = []
    checkpointer = Checkpointer(
        tmp_path, population, before=lambda: seen.append(sorted(p.name for p in tmp_path.iterdir()))
    )
    for record in islice(train(population), 2):
        checkpointer.observe(Records.of(record))
    assert seen == [[], ["checkpoint.pt"]]


def test_the_history_is_flushed_before_each_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badger_sweeps.runs.history.SECONDS_PER_FLUSH", 1e9)
    reached: list[int] = []
    write = Checkpointer._write

    def watched(checkpointer: Checkpointer, paths: list[Path]) -> None:
        write(checkpointer, paths)
        if tmp_path / "checkpoint.pt" in paths:
            reached.append(read_history(tmp_path)["iteration"].max())

    monkeypatch.setattr(Checkpointer, "_write", watched)
    run(plan(tmp_path), silent())
    assert reached == [49, 99, 119]


def test_what_comes_before_a_checkpoint_is_recorded_and_logged_before_it(tmp_path: Path) -> None:
    """A run that is killed right after a checkpoint continues behind it, and logs nothing before it again."""
    seen: list[tuple[int, int]] = []

    class Slow(Tracker):
        observed = 0

        def observe(self, records: Records) -> None:
            self.observed = records.iterations.stop

        def flush(self) -> None:
            found = read_checkpoint(tmp_path / "checkpoint.pt")[1] if (tmp_path / "checkpoint.pt").exists() else None
            seen.append((self.observed, found["iteration"] if found else 0))

        def conclude(self, *_: object) -> None:
            pass

        def close(self, exit_status: int) -> None:
            pass

    class Tracked(Disabled):
        def start(self, run: RunDescription) -> Tracker:
            return Slow()

    run(replace(plan(tmp_path), tracking=Tracked()), silent())
    assert seen == [(50, 0), (100, 50), (120, 100)]


@pytest.mark.parametrize("when", ["observe", "conclude", "close"])
def test_a_late_signal_is_not_lost(tmp_path: Path, when: str) -> None:
    """Ctrl-C while a job of a multirun finishes must stop the multirun; before, the run stops after its iterations."""
    done = [120]

    class Late(Tracker):
        def observe(self, records: Records) -> None:
            if when == "observe" and 30 in records.iterations:
                done[0] = records.iterations.stop
                os.kill(os.getpid(), signal.SIGINT)

        def conclude(self, outcomes: object, objective: str, values: object) -> None:
            if when == "conclude":
                os.kill(os.getpid(), signal.SIGINT)

        def close(self, exit_status: int) -> None:
            if when == "close":
                os.kill(os.getpid(), signal.SIGINT)

    class Tracked(Disabled):
        def start(self, run: RunDescription) -> Tracker:
            return Late()

    with pytest.raises(Interrupted) as stopped:
        run(replace(plan(tmp_path), tracking=Tracked()), silent())
    assert (stopped.value.exit_status, stopped.value.iteration) == (130, done[0])
    assert (done[0] < 120) == (when == "observe")
    assert (tmp_path / "summary.json").exists() == (done[0] == 120)
