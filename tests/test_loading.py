"""What runs left behind, as frames: the same values as in their files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import badger_sweeps
from badger_sweeps.core.errors import UsageError
from badger_sweeps.runs.history import read_history
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
    with pytest.raises(UsageError, match=r"`columns` must be in a history; found 'losss'.*loss"):
        runs.histories(["losss"])


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
