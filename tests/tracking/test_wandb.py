"""The files of the real W&B client offline, read with W&B's own tool and compared with the history."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from badger_sweeps.core.columns import Column, columns, metric
from badger_sweeps.core.errors import UsageError
from badger_sweeps.runs.history import read_history
from badger_sweeps.topologies.connectivity import Connectivity
from badger_sweeps.tracking.base import RunDescription
from badger_sweeps.tracking.wandb import MOST_UNLOGGED, STRIDE, WandB, stride_of
from badger_sweeps.training.loop import Record, Records
from tests.runs.commands import SMALL, run

pytestmark = pytest.mark.xdist_group("wandb")  # one worker: its run is made and read once

LOGGED = sorted({*range(0, 60, 7), 20, 40})
"""Every seventh iteration, and the iterations with measures."""
GRAPHS = {0: Connectivity(3, 6, True, 0.5, 0.5, None)}


def records(folder: Path) -> Iterator[dict[str, Any]]:
    tool = Path(sys.executable).with_name("wandb")
    shown = subprocess.run([tool, "leet", "inspect", str(folder), "--json"], capture_output=True, text=True, check=True)
    return map(json.loads, shown.stdout.splitlines())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked") / "run"
    cadences = ("tracking.every=7", "measures.every=20", "measures.inner_binding.every=20", "tracking.pairs_every=40")
    along = ("measures.inner_loop.every=40", "measures.gates.every=40")
    done = run(folder, "training.iterations=60", "architecture=exponential", *cadences, *along, tracking="wandb")
    assert done.returncode == 0, done.stderr
    return folder


@cache
def of_seed(folder: Path, seed: int) -> dict[str, list[Any]]:
    """What a run of W&B holds when it is over, by type of record; read with their tool once, which takes a second."""
    (run_folder,) = folder.glob(f"wandb/offline-run-*-{seed}")
    by_type: dict[str, list[Any]] = {}
    for record in records(run_folder):
        by_type.setdefault(record["type"], []).append(record[record["type"]])
    return by_type


def test_one_run_for_each_seed_grouped_by_configuration(finished: Path) -> None:
    runs = {seed: of_seed(finished, seed)["run"][0] for seed in range(3)}
    groups = {run["run_group"] for run in runs.values()}
    assert len(groups) == 1
    assert groups.pop().startswith("exponential,architecture.hidden=8")
    for seed, run_record in runs.items():
        assert run_record["display_name"].endswith(f"seed {seed}")
        assert run_record["job_type"] == "train"
        assert run_record["tags"] == [
            *("exponential", "random", "guessing_game", "mse", "feedback=same", "mean"),
            *("gradient_descent", "aggregator=mean", "adam"),
        ]
        config = run_record["config"]["update"]
        assert (config["seed"], config["optimizer"]["lr"], config["topology"]["experts"]) == (seed, 0.01, 5)


def test_each_run_carries_the_code(finished: Path) -> None:
    """As an artifact that refers to the archive's file, without a copy."""
    (kept,) = finished.glob("code-*.zip")
    for seed in range(3):
        (artifact,) = of_seed(finished, seed)["artifact"]
        assert artifact["type"] == "code"
        (content,) = artifact["manifest"]["contents"]
        assert (content["path"], content["local_path"], int(content["size"])) == (
            kept.name,
            str(kept),
            kept.stat().st_size,
        )
    assert list(finished.rglob("*.zip")) == [kept]


def test_rows_are_those_of_the_history(finished: Path) -> None:
    history = read_history(finished)
    for seed in range(3):
        rows = [row["item"] for row in of_seed(finished, seed)["history"]]
        rows = [row for row in rows if "iteration" in row]
        assert [row["iteration"] for row in rows] == [row["_step"] / STRIDE for row in rows] == LOGGED
        expected = history[history["seed"] == seed].set_index("iteration")
        for row in rows:
            for name in ("loss", "loss_dim/3", "grad_norm", "plateau/index"):
                assert row[name] == pytest.approx(float(expected.loc[row["iteration"], name]))


def test_measures_are_logged_at_the_iterations_of_their_measurement(finished: Path) -> None:
    """Whatever the cadence of other rows; vectors as lists of numbers."""
    history = read_history(finished)
    for seed in range(3):
        logged = [row["item"] for row in of_seed(finished, seed)["history"]]
        rows = {row["iteration"]: row for row in logged if "iteration" in row}
        expected = history[history["seed"] == seed].set_index("iteration")
        for iteration in LOGGED:
            assert ("mi/mean" in rows[iteration]) == (iteration in (0, 20, 40))
        for iteration in (0, 20, 40):
            for name in ("mi/mean", "mi_given_target/mean", "binding/outer_given_target"):
                assert rows[iteration][name] == pytest.approx(float(expected.loc[iteration, name]))
            inner = list(expected.loc[iteration, "binding/inner"])
            assert rows[iteration]["binding/inner"] == pytest.approx(inner)
            assert len(inner) == 4
        shown = [iteration for iteration in rows if "mi/03__04" in rows[iteration]]
        pictured = [iteration for iteration, row in rows.items() if any(name.startswith("mi_pairs") for name in row)]
        assert shown == pictured == [0, 40]
        for iteration in shown:
            assert rows[iteration]["mi/03__04"] == pytest.approx(float(expected.loc[iteration, "mi/03__04"]))
        steps = [row for row in logged if "inner_step" in row]
        assert [row["inner_step"] for row in steps] == [1, 2, 3, 4]
        for shown, column in (("inner/binding", "binding/inner"), ("inner/loss", "inner/loss")):
            assert [row[shown] for row in steps] == pytest.approx(list(expected.loc[40, column]))
        assert [row["inner/gate/carried"] for row in steps] == pytest.approx(list(expected.loc[40, "gate/carried"]))
        assert not any("inner/loss" in row for row in rows.values())  # rows of iterations have another axis


def test_measures_of_pairs_have_a_picture_each(tmp_path: Path) -> None:
    """At the iterations of their own measurement: here 0, and 0 and 1 with pictures at most every second iteration."""
    pairs = ("00__01", "00__02", "01__02")
    declared = columns(
        *(Column(f"mi/{pair}", "", "bits", per="pair") for pair in pairs),
        *(Column(f"their/{pair}", "", per="pair") for pair in pairs),
    )
    described = RunDescription(tmp_path, "stranger", "run", "group", (), {}, (0,), 0, GRAPHS, declared)
    tracker = WandB(every=1, pairs_every=2).start(described)
    values = {f"{group}/{pair}": np.float32([0.5]) for group in ("mi", "their") for pair in pairs}
    of_theirs = {name: value for name, value in values.items() if name.startswith("their")}
    for iteration, measured in enumerate((values, of_theirs, of_theirs)):
        tracker.observe(Records.of(Record(iteration, (0,), {"loss": np.float32([1])}, measured)))
    tracker.close(0)
    rows = [row["item"] for row in of_seed(tmp_path, 0)["history"]]
    named = [{name.split(".")[0].split("/")[0] for name in row if not name.startswith("_")} for row in rows]
    both = {"iteration", "loss", "mi", "mi_pairs", "their", "their_pairs"}
    assert named == [both, {"iteration", "loss"}, {"iteration", "loss", "their", "their_pairs"}]


def test_metrics_have_the_outer_iteration_as_their_axis(finished: Path) -> None:
    metrics = of_seed(finished, 0)["metric"]
    text = json.dumps(metrics)
    names = ("loss", "loss_dim/*", "grad_norm", "diverged", "cost/*", "schedule/*", "plateau/*")
    names += tuple(
        f"{of}/*"
        for of in ("evaluation", "guess", "mi", "mi_given_target", "binding", "hurst", "sequentiality", "gate")
    )
    for name in names:
        assert f'"{name}"' in text
    assert text.count('"step_metric": "iteration"') == len(names)


def test_the_summary_has_each_seeds_results(finished: Path) -> None:
    outcomes = json.loads((finished / "summary.json").read_text())["seeds"]
    for outcome in outcomes:
        merged: dict[str, Any] = {}
        for record in of_seed(finished, outcome["seed"])["summary"]:
            merged |= record["update"]
        assert merged["final_loss"] == pytest.approx(outcome["final_loss"])
        assert merged["escape_iteration"] == outcome["escape_iteration"]
        assert merged["objective_name"] == "escape_iteration"
        assert {name: merged[name] for name in outcome["topology"]} == outcome["topology"]
        assert merged["objective"] == (60 if outcome["escape_iteration"] is None else outcome["escape_iteration"])


@pytest.mark.slow
def test_a_restart_continues_the_steps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run(folder, "training.iterations=20", tracking="wandb").returncode == 0
    assert run(folder, "training.iterations=40", tracking="wandb").returncode == 0
    first, second = sorted(folder.glob("wandb/offline-run-*-0"))
    ids = {path.name.split("-", 3)[-1] for path in (first, second)}
    assert len(ids) == 1
    for path, iterations in ((first, [0, 10]), (second, [20, 30])):
        rows = [r["history"]["item"] for r in records(path) if r["type"] == "history"]
        outer = [row for row in rows if "iteration" in row]
        assert [row["iteration"] for row in outer] == [row["_step"] / STRIDE for row in outer] == iterations


def test_no_step_of_a_long_inner_loop_is_lost(tmp_path: Path) -> None:
    """Nor are the iterations of a continued run after it: each row has a step of its own in W&B."""
    folder = tmp_path / "run"
    long = ("training.inner_steps=120", "measures=none", "measures.inner_loop.every=5", "tracking.every=1", "seeds=1")
    for iterations in (6, 8, 11):
        done = run(folder, *long, f"training.iterations={iterations}", tracking="wandb")
        assert done.returncode == 0, done.stderr
    history = read_history(folder).set_index("iteration")
    passed, before = [], 0
    for path, iterations, measured in zip(
        sorted(folder.glob("wandb/offline-run-*-0")), (range(6), range(6, 8), range(8, 11)), (5, None, 10), strict=True
    ):
        rows = [r["history"]["item"] for r in records(path) if r["type"] == "history"]
        outer = [row["iteration"] for row in rows if "iteration" in row]
        inner = [row for row in rows if "inner_step" in row]
        assert outer == list(iterations)
        assert [row["_step"] for row in rows if "iteration" in row] == [
            stride_of(120) * iteration for iteration in iterations
        ]
        if measured is None:  # nothing was measured in this session
            assert inner == []
        else:
            assert [row["inner_step"] for row in inner] == list(range(1, 121))
            assert [row["inner/loss"] for row in inner] == pytest.approx(list(history.loc[measured, "inner/loss"]))
        steps = [row["_step"] for row in rows]
        passed += steps
        assert steps[0] >= before
        before = steps[-1]
    assert passed == sorted(set(passed))


@pytest.mark.parametrize(
    ("inner_steps", "stride"), [(1, 100), (99, 100), (100, 200), (120, 200), (199, 200), (200, 300)]
)
def test_an_iteration_has_room_for_its_inner_steps(inner_steps: int, stride: int) -> None:
    assert stride_of(inner_steps) == stride


@pytest.mark.slow
def test_a_search_is_a_run_of_its_own_logged_once(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    search = ("hydra/sweeper=badger", f"hydra.sweep.dir={folder}", "architecture=choice(gru,exponential)")
    budget = ("training.iterations=60", "hydra.sweeper.warm_start=[{}]", "optimizer.lr=interval(0.001,0.02)")
    sampler = ("hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")
    command = [sys.executable, "-m", "badger_sweeps", "-m", *search, *SMALL, *budget[:2], budget[2], *sampler]
    command.remove("optimizer.lr=0.01")
    for total in (2, 2, 3):  # nothing is left for the second start
        subprocess.run([*command, f"hydra.sweeper.n_trials={total}"], check=True, capture_output=True)
    starts = [list(records(path)) for path in sorted(folder.glob("wandb/offline-run-*"))]
    logged = [record["run"] for start in starts for record in start if record["type"] == "run"]
    assert {(run["display_name"], run["job_type"], run["run_group"]) for run in logged} == {
        ("search search", "search", "search")
    }
    assert len({run["run_id"] for run in logged}) == 1
    rows = [r["history"]["item"] for start in starts for r in start if r["type"] == "history"]
    assert [row["_step"] for row in rows] == [0, 1, 2]
    summaries = [json.loads((folder / str(row["search/trial"]) / "summary.json").read_text()) for row in rows]
    values = [summary["objective"]["value"] for summary in summaries]
    assert [row["search/objective"] for row in rows] == values
    assert [row["search/best"] for row in rows] == np.minimum.accumulate(values).tolist()
    assert rows[0]["search/params/architecture"] == "gru"
    trial = next(record for record in records(next(folder.glob("1/wandb/offline-run-*"))) if record["type"] == "run")
    assert trial["run"]["run_group"] == "search 1"


def test_the_run_waits_if_records_are_logged_more_slowly_than_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that wait take memory."""
    monkeypatch.setattr("wandb.sdk.wandb_run.Run.log", lambda *_, **__: time.sleep(0.005))
    loss = columns(metric("loss", "Loss"))
    tracker = WandB(every=1).start(RunDescription(tmp_path, "id", "name", "name", (), {}, (0,), 0, GRAPHS, loss))
    waiting = []
    for iteration in range(3 * MOST_UNLOGGED):
        tracker.observe(Records.of(Record(iteration, (0,), {"loss": np.float32([1.0])})))
        waiting.append(sum(not each.done() for each in tracker._unlogged))
    tracker.close(0)
    assert 1 < max(waiting) <= MOST_UNLOGGED


def test_what_fails_while_a_record_is_logged_is_raised_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records are logged by a thread, whose errors nobody would see."""

    observed = Event()

    def refused(*_: object, **__: object) -> None:
        observed.wait()
        raise RuntimeError("no row can be logged")

    monkeypatch.setattr("wandb.sdk.wandb_run.Run.log", refused)
    loss = columns(metric("loss", "Loss"))
    tracker = WandB(every=1).start(RunDescription(tmp_path, "id", "name", "name", (), {}, (0,), 0, GRAPHS, loss))
    tracker.observe(Records.of(Record(0, (0,), {"loss": np.float32([1.0])})))
    observed.set()
    with pytest.raises(RuntimeError, match="no row can be logged"):
        tracker.close(0)


def test_online_without_a_key_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    description = RunDescription(tmp_path, "id", "name", "name", (), {}, (0,), 0, {}, columns(metric("loss", "Loss")))
    with pytest.raises(UsageError, match=r"^W&B needs an API key: run `wandb login` \(No API key[^\n]*\)\.$"):
        WandB(mode="online").start(description)
