"""Measuring finished and stopped runs again, from their snapshots, by the command `measure`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.progress import Progress

from badger_sweeps.measures.dynamics.hurst import hurst
from badger_sweeps.reporting.page.panels import measures
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.reporting.remeasure.required import RequiredMeasures, measure_missing
from badger_sweeps.runs.snapshot_measures import (
    all_measured,
    measured_at,
    measured_with,
    read_measures,
    write_measures,
)
from tests import warm
from tests.runs.commands import run

pytestmark = pytest.mark.xdist_group("measure")  # one worker: their runs are made once


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "run"
    settings = [
        "training.iterations=60",
        "training.snapshot_every=20",
        "measures.every=10",
        "measures.hurst.every=null",
    ]
    done = run(folder, *settings, "measures.inner_binding.every=20")
    assert done.returncode == 0, done.stderr
    return folder


def measure(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "badger_sweeps", "measure", str(folder), *words]
    return warm.run(command)


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def test_measures_from_snapshots_equal_those_of_training_bit_by_bit(copy: Path) -> None:
    done = measure(copy)
    assert done.returncode == 0, done.stderr
    again = pd.read_parquet(copy / "measures.parquet")
    assert again["iteration"].tolist() == [i for i in (0, 20, 40, 60) for _ in range(3)]
    history = pd.read_parquet(copy / "history.parquet")
    both = again.merge(history, on=["seed", "iteration"], suffixes=("", " in training"))
    assert len(both) == 9
    compared = [name for name in again if f"{name} in training" in both]
    assert {"mi/mean", "mi/00__04", "binding/outer", "binding/inner", "sequentiality/index"} <= set(compared)
    for name in compared:
        one, other = (np.stack(both[column].tolist()) for column in (name, f"{name} in training"))
        np.testing.assert_array_equal(one, other, err_msg=name)
    assert "mi_given_target/mean" in done.stdout


def test_a_further_measure_requires_no_new_run(copy: Path) -> None:
    before = pd.read_parquet(copy / "history.parquet")
    done = measure(copy, "adding_experts", "gradients", "measures.gradients.games=32")
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(copy / "measures.parquet")
    assert found[["experts/task_concavity", "gradient/conflicting"]].notna().all(axis=None)
    assert "mi/mean" not in found
    pd.testing.assert_frame_equal(pd.read_parquet(copy / "history.parquet"), before)
    assert measure(copy, "inner_chaos", "--every", "40").returncode == 0
    more = pd.read_parquet(copy / "measures.parquet")
    assert more["lyapunov/inner"].notna().sum() == 3 * 3  # iterations 0, 40 and the last, 60
    assert more["experts/task_concavity"].notna().all()


def test_perturbed_replicas(copy: Path) -> None:
    done = measure(copy, "--replicas", "30")
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(copy / "measures.parquet")
    assert list(found.columns) == ["seed", "iteration", "lyapunov/replicas"]
    assert found["lyapunov/replicas"].notna().all()


def test_settings_of_the_measure_can_be_changed(copy: Path) -> None:
    assert measure(copy, "mutual_information", "measures.mutual_information.components=8").returncode == 0
    eight = pd.read_parquet(copy / "measures.parquet")["mi/captured_variance"]
    assert measure(copy, "mutual_information", "measures.mutual_information.components=1").returncode == 0
    one = pd.read_parquet(copy / "measures.parquet")["mi/captured_variance"]
    assert (one < 0.99).all()
    assert np.allclose(eight, 1)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["mutual_informatio"], "found 'mutual_informatio'. Did you mean `mutual_information`?"),
        (["measures.binding.evry=3"], "`measures.binding.evry` must be a key of measures, set as measures.KEY=VALUE."),
        (["measures.games=10"], "`measures.games` must be at least 1000; found 10."),
        (["--every", "0"], "`--every` must be at least 1; found 0."),
    ],
)
def test_a_user_error_is_one_line_and_writes_no_file(finished: Path, words: list[str], error: str) -> None:
    done = measure(finished, *words)
    assert done.returncode == 2
    assert error in done.stderr.splitlines()[-1]
    assert not (finished / "measures.parquet").exists()


def test_a_folder_without_snapshots_is_refused(tmp_path: Path) -> None:
    done = measure(tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "must have runs with snapshots" in done.stderr


def test_a_damaged_snapshot_is_refused(copy: Path) -> None:
    (copy / "snapshots" / "000000020.pt").write_bytes(b"half")
    done = measure(copy, "binding")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "must be a whole checkpoint; found a damaged file of 4 bytes" in done.stderr


def test_each_plateau_has_a_row(copy: Path) -> None:
    """The plateaus of this run are made up: one is long enough for a Hurst exponent, one too short."""
    length = 600
    rng = np.random.default_rng(0)
    history = pd.concat(
        [
            pd.DataFrame({"seed": seed, "iteration": range(length), "loss": rng.normal(1, 0.1, length)})
            for seed in range(3)
        ]
    ).astype({"loss": "float32"})
    history["mi/mean"] = history["iteration"].where(history["iteration"] % 100 == 0).astype("float32")
    summary = json.loads((copy / "summary.json").read_text())
    rest = {"level": 1.0, "slope": 0.0, "rung": 1.0, "loss_dim": [1.0], "grad_norm": 0.5}
    for seed in summary["seeds"]:
        seed["plateaus"] = [{**rest, "start": 0, "end": 550}, {**rest, "start": 550, "end": 600}]
    (copy / "summary.json").write_text(json.dumps(summary))
    from badger_sweeps.reporting.remeasure import plateaus
    from badger_sweeps.reporting.remeasure.snapshots import reopened

    table = plateaus.table(reopened(copy), history, None)
    assert table is not None
    assert len(table) == 6
    long, short = table[table["end"] == 550], table[table["end"] == 600]
    assert long["mi/mean"].tolist() == [250] * 3  # of 0, 100, ..., 500
    assert long["measured"].tolist() == [6] * 3
    assert short["hurst/dfa"].isna().all()
    import torch

    loss = history[history["seed"] == 1]["loss"].to_numpy()[None, :550].copy()
    assert long["hurst/dfa"].iloc[1] == float(hurst(torch.from_numpy(loss)).dfa[0])
    assert long["hurst/dfa_increments"].notna().all()


def test_columns_measured_again_are_replaced_and_others_stay(tmp_path: Path) -> None:
    first = pd.DataFrame({"seed": [0, 0], "iteration": [0, 10], "a": [1.0, 2.0], "b": [3.0, 4.0]})
    write_measures(tmp_path, first, {"a": "one", "b": "one"})
    write_measures(tmp_path, pd.DataFrame({"seed": [0], "iteration": [20], "b": [5.0]}), {"b": "two"})
    assert measured_with(tmp_path) == {"a": "one", "b": "two"}
    found = read_measures(tmp_path)
    assert found is not None
    expected = pd.DataFrame({"seed": [0] * 3, "iteration": [0, 10, 20], "a": [1, 2, None], "b": [None, None, 5.0]})
    pd.testing.assert_frame_equal(found, expected, check_like=True)


def test_the_iterations_at_which_a_column_was_measured_are_recorded(tmp_path: Path) -> None:
    """Also those that gave NaN, but not those at which only other columns were measured."""
    assert measured_at(tmp_path) == {}
    frame = pd.DataFrame({"seed": [0, 0], "iteration": [0, 10], "a": [1.0, np.nan], "b": [np.nan, np.nan]})
    write_measures(tmp_path, frame, {"a": "one", "b": "one"})
    write_measures(tmp_path, pd.DataFrame({"seed": [0], "iteration": [20], "b": [5.0]}), {"b": "two"})
    assert measured_at(tmp_path) == {"a": {0, 10}, "b": {20}}
    older = pq.read_table(tmp_path / "measures.parquet").replace_schema_metadata(None)
    pq.write_table(older, tmp_path / "measures.parquet")
    assert measured_at(tmp_path) == {"a": {0}, "b": {20}}  # not recorded: the iterations with a value


@pytest.fixture(scope="module")
def diverged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose seeds all diverge at iteration 3; the snapshot at 4 and the checkpoint have no active member."""
    folder = tmp_path_factory.mktemp("diverged") / "run"
    settings = ["optimizer=sgd", "optimizer.lr=1000000", "training.clip_norm=null", "training.snapshot_every=2"]
    along = ["measures.every=1", "measures.inner_binding.every=1", "measures.inner_loop.every=1"]
    done = run(folder, *settings, *along, "training.iterations=60")
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert [outcome["diverged"] for outcome in summary["seeds"]] == [True] * 3
    assert pd.read_parquet(folder / "history.parquet")["iteration"].max() == 3
    return folder


def test_measures_are_nan_after_all_seeds_have_diverged(diverged: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(diverged, tmp_path / "run")
    done = measure(copy)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "diverged" in line]
    assert warned == ["snapshots: need a seed that has not diverged; found none: NaN"]
    found = pd.read_parquet(copy / "measures.parquet")
    assert found["iteration"].tolist() == [i for i in (0, 2, 4) for _ in range(3)]
    assert found["seed"].tolist() == [0, 1, 2] * 3
    values = found.drop(columns=["seed", "iteration"])
    assert {"mi/mean", "binding/inner", "inner/loss"} <= set(values)
    assert values[found["iteration"] == 4].isna().all(axis=None)
    assert values.loc[found["iteration"] == 0, ["evaluation/loss", "mi/mean", "binding/inner"]].notna().all(axis=None)
    assert len(values.loc[0, "inner/loss"]) == 4
    alone = measure(copy, "binding", "--every", "5", "--replicas", "20")  # of the snapshots only that of iteration 0
    assert alone.returncode == 0, alone.stderr
    again = pd.read_parquet(copy / "measures.parquet")
    assert again.loc[again["iteration"] == 4, ["binding/outer", "lyapunov/replicas"]].isna().all(axis=None)


@pytest.mark.parametrize("moments", [1, 2, None])
def test_required_measures_of_a_diverged_run_are_taken_once(
    diverged: Path, tmp_path: Path, moments: int | None
) -> None:
    copy = shutil.copytree(diverged, tmp_path / "run")
    required = [RequiredMeasures(("guesses",), moments), RequiredMeasures(("inner_loop",), moments)]

    def taken() -> bool:
        with Progress(disable=True) as progress:
            return measure_missing(gather(copy).runs[0], required, progress)

    with pytest.warns(match="need a seed that has not diverged"):
        assert taken()
    iterations = {1: {4}, 2: {0, 4}, None: {0, 2, 4}}[moments]
    assert measured_at(copy)["guess/power"] == measured_at(copy)["inner/loss"] == iterations
    assert not taken()


def test_measures_that_gave_nan_are_not_taken_again(copy: Path) -> None:
    """A Hurst exponent of 60 iterations; another measure at the same iterations does not count for it."""

    def taken(*measures: str) -> bool:
        with Progress(disable=True) as progress:
            return measure_missing(gather(copy).runs[0], [RequiredMeasures(measures, snapshots=2)], progress)

    assert taken("guesses")
    assert taken("hurst")
    found = read_measures(copy)
    assert found is not None
    assert found[[name for name in found if name.startswith("hurst/")]].isna().all(axis=None)
    assert measured_at(copy)["hurst/dfa"] == {0, 60}
    assert not taken("hurst")
    assert taken("binding")


def test_figures_show_the_measures_from_snapshots(copy: Path) -> None:
    assert measure(copy, "binding").returncode == 0
    (only,) = gather(copy).runs
    panels = {panel.column.name: panel for panel in measures.compute([only])}
    assert panels["binding/inner"].note == "At iteration 40, the last measured."
    known = all_measured(only.history, read_measures(copy), only.columns)
    (binding,) = panels["binding/outer"].curves
    assert binding.x.tolist() == [0, 20, 40, 60]  # only from snapshots: a curve never mixes two settings
    assert panels["mi/mean"].curves[0].x.tolist() == [0, 10, 20, 30, 40, 50]
    assert binding.values.shape == (3, 4)
    assert binding.values[1, 2] == known.loc[(1, 40), "binding/outer"]
    for name in ("binding/inner", "binding/inner_given_target"):
        (inner,) = panels[name].curves
        assert (inner.x.tolist(), inner.values.shape) == ([1, 2, 3, 4], (3, 4))
        assert inner.values[2].tolist() == pytest.approx(list(known.loc[(2, 40), name]))
    drawn = measures.draw(panels["binding/outer"])["data"]
    assert len(drawn) == 4  # three seeds and their median


def test_a_run_without_measures_shows_its_loss(finished: Path) -> None:
    (only,) = gather(finished).runs
    bare = only.history[["seed", "iteration", "loss"]]
    assert [panel.column.name for panel in measures.compute([replace(only, history=bare)])] == ["loss"]
