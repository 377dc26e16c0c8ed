"""The history as a reader sees it while it grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from badger_sweeps.core.columns import Column, columns, metric
from badger_sweeps.core.errors import UsageError
from badger_sweeps.runs import history as module
from badger_sweeps.runs.history import History, columns_by_seed, read_history
from badger_sweeps.training.loop import Record, Records

METRICS = columns(metric("loss", "Loss"), metric("grad_norm", "Norm"))


def record(iteration: int, seeds: tuple[int, ...] = (4, 2)) -> Records:
    values = np.array([iteration + seed / 10 for seed in seeds], dtype=np.float32)
    return Records.of(Record(iteration, seeds, {"loss": values, "grad_norm": -values}))


def test_it_can_be_read_from_the_first_moment(tmp_path: Path) -> None:
    History(tmp_path, METRICS)
    empty = pd.read_parquet(tmp_path / "history.parquet")
    assert list(empty.columns) == ["seed", "iteration", "loss", "grad_norm"]
    assert empty.empty


def test_at_most_100_records_are_unwritten(tmp_path: Path) -> None:
    history = History(tmp_path, METRICS)
    history._flushed_at += 1000  # only the count decides here
    for iteration in range(250):
        history.observe(record(iteration))
        assert iteration - read_history(tmp_path)["iteration"].max() <= 100 or iteration < 100
    assert read_history(tmp_path)["iteration"].max() == 199


def test_at_most_a_second_is_unwritten(tmp_path: Path) -> None:
    history = History(tmp_path, METRICS)
    history.observe(record(0))
    history._flushed_at -= 1.0  # as if a second had passed
    history.observe(record(1))
    assert read_history(tmp_path)["iteration"].tolist() == [0, 0, 1, 1]


def test_values_come_back_to_the_bit(tmp_path: Path) -> None:
    history = History(tmp_path, METRICS)
    strange = np.array([np.nan, np.inf], dtype=np.float32)
    history.observe(Records.of(Record(0, (4, 2), {"loss": strange, "grad_norm": np.float32([1e-45, 0.1])})))
    history.observe(record(1, seeds=(2,)))
    history.flush()
    columns = columns_by_seed(read_history(tmp_path))
    assert list(columns) == [4, 2]
    assert np.isnan(columns[4]["loss"][0])
    assert columns[4]["grad_norm"].tobytes() == np.float32([1e-45]).tobytes()
    assert columns[2]["loss"].tolist() == [np.inf, np.float32(1.2)]


def test_records_of_several_iterations_are_those_of_each(tmp_path: Path) -> None:
    """A row for each seed of each iteration; measures stand in the first iteration's."""
    seeds, losses = (4, 2), np.arange(6, dtype=np.float32).reshape(3, 2)
    pairs = np.array([[0.5, 1.5], [2.5, 3.5]], dtype=np.float32)
    together = Records(range(7, 10), seeds, {"loss": losses, "grad_norm": -losses}, {"pairs": pairs})
    history = History(tmp_path, {**METRICS, "pairs": Column("pairs", "Pairs", length=2)})
    history.observe(together)
    history.flush()
    rows = read_history(tmp_path)
    assert list(zip(rows["iteration"], rows["seed"], strict=True)) == [(i, seed) for i in (7, 8, 9) for seed in seeds]
    assert rows["loss"].tolist() == [0, 1, 2, 3, 4, 5]
    assert rows["grad_norm"].tolist() == [0, -1, -2, -3, -4, -5]
    assert [value.tolist() for value in rows["pairs"][:2]] == pairs.tolist()
    assert rows["pairs"][2:].isna().all()


@pytest.mark.parametrize("kept", [0, 1, 7, 12, 13, 20])
def test_files_depend_on_the_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """With 12 rows per part: truncated at any iteration and continued, the files equal those written without a stop."""
    monkeypatch.setattr(module, "ROWS_PER_PART", 12)
    files = []
    for stop in (20, kept):
        folder = tmp_path / str(stop)
        folder.mkdir(exist_ok=True)
        whole = History(folder, METRICS)
        for iteration in range(20):
            whole.observe(record(iteration))
            if iteration % 3 == 0 or iteration == 19:
                whole.flush()
        again = History(folder, METRICS, keep=stop)
        assert read_history(folder)["iteration"].tolist() == [i for i in range(stop) for _ in range(2)]
        for iteration in range(stop, 20):
            again.observe(record(iteration))
        again.flush()
        files.append({path.name: path.read_bytes() for path in sorted((folder / "history.parquet").iterdir())})
    assert files[0] == files[1]
    assert len(files[0]) == 4


@pytest.mark.parametrize("kept", [5, 9, 14, 20])
def test_parts_of_another_length_are_divided_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    files = []
    for length in (12, 24):
        monkeypatch.setattr(module, "ROWS_PER_PART", length)
        folder = tmp_path / str(length)
        folder.mkdir()
        whole = History(folder, METRICS)
        for iteration in range(kept):
            whole.observe(record(iteration))
        whole.flush()
        monkeypatch.setattr(module, "ROWS_PER_PART", 12)
        again = History(folder, METRICS, keep=kept)
        for iteration in range(kept, 20):
            again.observe(record(iteration))
        again.flush()
        files.append({path.name: path.read_bytes() for path in sorted((folder / "history.parquet").iterdir())})
    assert files[0] == files[1]
    assert len(files[0]) == 4


def test_unfinished_files_are_passed_over(tmp_path: Path) -> None:
    history = History(tmp_path, METRICS)
    history.observe(record(0))
    history.flush()
    (tmp_path / "history.parquet" / ".part-00001.parquet.77.tmp").write_bytes(b"half")
    assert len(read_history(tmp_path)) == 2


def test_a_history_that_ends_before_its_checkpoint_is_refused(tmp_path: Path) -> None:
    history = History(tmp_path, METRICS)
    history.observe(record(0))
    history.flush()
    with pytest.raises(UsageError, match=r"must hold the 5 iterations .*; found 1 of them\."):
        History(tmp_path, METRICS, keep=5)
    assert len(read_history(tmp_path)) == 2
