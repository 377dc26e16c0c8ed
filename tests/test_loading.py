"""What runs left behind, as frames: the same values as in their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import badger_sweeps
from badger_sweeps.core.columns import Column, columns
from badger_sweeps.core.errors import UsageError
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.snapshot_measures import write_measures
from tests.runs.commands import run

NAMES = ("a", "deeper/b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, the second one without per-pair columns."""
    folder = tmp_path_factory.mktemp("runs")
    assert run(folder / "a", "training.iterations=30", "measures.every=10").returncode == 0
    assert run(folder / "deeper" / "b", "training.iterations=20", "measures=none", "loss=l1").returncode == 0
    return folder


def test_histories_are_those_of_the_runs(folder: Path) -> None:
    runs = badger_sweeps.load(folder)
    assert runs.names == NAMES
    frame = runs.histories()
    assert list(frame.columns[:3]) == ["run", "seed", "iteration"]
    for name in NAMES:
        own = frame[frame["run"] == name].drop(columns="run").reset_index(drop=True)
        expected = read_history(folder / name)
        pd.testing.assert_frame_equal(own[expected.columns], expected)
        assert own[own.columns.difference(expected.columns)].isna().all(axis=None)


def test_only_the_columns_that_are_asked_for(folder: Path) -> None:
    runs = badger_sweeps.load(folder)
    frame = runs.histories(["loss", "mi/mean"])
    assert list(frame.columns) == ["run", "seed", "iteration", "loss", "mi/mean"]
    assert frame.loc[frame["run"] == "deeper/b", "mi/mean"].isna().all()
    assert frame.loc[frame["run"] == "a", "mi/mean"].notna().sum() == 9
    with pytest.raises(
        UsageError, match=r"`columns` must be in history.parquet or measures.parquet; found 'losss'.*loss"
    ):
        runs.histories(["losss"])


@pytest.fixture
def measured(folder: Path, tmp_path: Path) -> Path:
    """The same runs; the first was measured from snapshots at iteration 10 and at the end of training, 30."""
    shutil.copytree(folder, tmp_path / "runs")
    values = pd.DataFrame(
        {
            "seed": [0, 1, 2, 0, 1, 2],
            "iteration": [10, 10, 10, 30, 30, 30],
            "mi/mean": np.arange(6, dtype=np.float32),
            "gradient/cosine_mean": np.arange(10, 16, dtype=np.float32),
            "gradient/spectrum": [[float(k), 2.0] for k in range(6)],
        }
    )
    described = columns(
        Column("mi/mean", "Information from snapshots", "bits"),
        Column("gradient/cosine_mean", "Mean cosine"),
        Column("gradient/spectrum", "Spectrum", length=2, axis="dimension"),
    )
    write_measures(tmp_path / "runs" / "a", values, {}, described)
    return tmp_path / "runs"


def test_measures_from_snapshots_are_joined_by_seed_and_iteration(measured: Path) -> None:
    frame = badger_sweeps.load(measured).histories()
    history = read_history(measured / "a")
    rows = frame[frame["run"] == "a"].drop(columns="run").reset_index(drop=True)
    assert len(rows) == len(history) + 3
    unchanged = [name for name in history if name != "mi/mean"]
    pd.testing.assert_frame_equal(rows.loc[: len(history) - 1, unchanged], history[unchanged])
    found = rows.set_index(["iteration", "seed"])
    assert found.loc[10, "gradient/cosine_mean"].tolist() == [10, 11, 12]
    assert found.loc[30, "gradient/cosine_mean"].tolist() == [13, 14, 15]
    assert found.loc[30, "loss"].isna().all()  # the history ends at iteration 29
    assert found["gradient/cosine_mean"].notna().sum() == found["gradient/spectrum"].notna().sum() == 6
    assert found.loc[(30, 2), "gradient/spectrum"].tolist() == [5, 2]
    assert frame.loc[frame["run"] == "deeper/b", "gradient/cosine_mean"].isna().all()


def test_a_column_in_both_files_is_that_of_the_snapshots(measured: Path) -> None:
    """As in reports: a curve never mixes values of training and of snapshots."""
    runs = badger_sweeps.load(measured)
    found = runs.histories(["mi/mean"]).dropna()
    assert found["mi/mean"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["iteration"].tolist() == [10] * 3 + [30] * 3
    assert runs.columns().set_index("name").loc["mi/mean", "title"] == "Information from snapshots"
    assert {"gradient/cosine_mean", "loss"} <= set(runs.columns()["name"])


def test_columns_of_the_history_alone_keep_their_rows(measured: Path) -> None:
    found = badger_sweeps.load(measured).histories(["loss"])
    assert found["loss"].notna().all()
    assert list(badger_sweeps.load(measured).histories(["gradient/cosine_mean", "loss", "seed"])) == [
        "run", "seed", "iteration", "gradient/cosine_mean", "loss",
    ]  # fmt: skip


def test_summaries_have_a_row_for_each_seed_with_its_configuration(folder: Path) -> None:
    frame = badger_sweeps.load(folder).summaries()
    assert len(frame) == 6
    for _, row in frame.iterrows():
        content = json.loads((folder / row["run"] / "summary.json").read_text())
        (own,) = [seed for seed in content["seeds"] if seed["seed"] == row["seed"]]
        assert row["final_loss"] == own["final_loss"]
        assert row["topology/edges"] == own["topology"]["edges"]
        assert row["budget"] == content["budget"] == row["training.iterations"]
    assert set(frame["loss"]) == {"MeanSquaredError", "MeanAbsoluteError"}


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must have runs below it; found none"):
        badger_sweeps.load(tmp_path)
