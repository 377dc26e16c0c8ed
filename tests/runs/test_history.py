"""The history as a reader sees it while it grows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from badger_sweeps.core.columns import Column, Columns, columns, metric
from badger_sweeps.core.errors import UsageError
from badger_sweeps.runs import history as module
from badger_sweeps.runs.history import History, columns_by_seed, history_parts, read_columns, read_history
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
    history.observe(record(2))
    assert read_history(tmp_path)["iteration"].max() == 1


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


def written(folder: Path, iterations: int, rows_per_part: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run with a history of two seeds in parts of this length."""
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(module, "ROWS_PER_PART", rows_per_part)
        history = History(folder, METRICS)
        for iteration in range(iterations):
            history.observe(record(iteration))
        history.flush()
    return folder


@pytest.mark.parametrize("length", [2, 8, 12, 14, 24, 30, 100])
@pytest.mark.parametrize("kept", [1, 5, 6, 7, 12, 14, 20])
def test_parts_of_another_length_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, length: int) -> None:
    """No row of 20 iterations that are kept leaves its part, and those that follow fill parts of 12 rows."""
    folder = written(tmp_path / "run", 20, length, monkeypatch)
    monkeypatch.setattr(module, "ROWS_PER_PART", 12)
    again = History(folder, METRICS, keep=kept)
    for iteration in range(kept, 30):
        again.observe(record(iteration))
    again.flush()
    rows = read_history(folder)
    assert list(zip(rows["iteration"], rows["seed"], strict=True)) == [(i, seed) for i in range(30) for seed in (4, 2)]
    lengths = [len(pd.read_parquet(part)) for part in history_parts(folder)]
    for first in range(0, 2 * kept, length):
        assert sum(lengths[: first // length]) == first
    new = lengths[-(-2 * kept // length) :]
    assert all(rows == 12 for rows in new[:-1])
    assert new[-1] < 12


def test_full_parts_get_the_description_of_their_columns_and_are_not_written_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "run", 20, 12, monkeypatch)
    monkeypatch.setattr(module, "ROWS_PER_PART", 12)
    before = [part.stat().st_mtime_ns for part in history_parts(folder)]
    History(folder, METRICS, keep=20)
    assert [part.stat().st_mtime_ns for part in history_parts(folder)][:3] == before[:3]
    other = columns(metric("loss", "Another title"), metric("grad_norm", "Norm"))
    History(folder, other, keep=20)
    assert {module.columns_of(pq.read_schema(part))["loss"].title for part in history_parts(folder)} == {
        "Another title"
    }


def test_new_columns_are_in_every_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of rows that were written before, and if an earlier attempt ended after the first part."""
    more = {**METRICS, "new": Column("new", "New")}
    monkeypatch.setattr(module, "ROWS_PER_PART", 12)
    for unfinished in (0, 1, 3):
        folder = written(tmp_path / str(unfinished), 20, 12, monkeypatch)
        for part in history_parts(folder)[:unfinished]:
            rows = pd.read_parquet(part)
            module.write_table(part, pa.table({**rows, "new": np.full(len(rows), np.nan, dtype=np.float32)}))
        History(folder, more, keep=19)
        parts = history_parts(folder)
        assert [pq.read_schema(part).names for part in parts] == [["seed", "iteration", *more]] * 4
        assert list(columns_by_seed(pd.read_parquet(folder / "history.parquet"))) == [4, 2]


@pytest.mark.parametrize("length", [5, 12, 17, 30])
@pytest.mark.parametrize("columns", [METRICS, {**METRICS, "new": Column("new", "New")}], ids=["same", "more"])
def test_a_continued_run_can_be_killed_before_any_change_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: Columns, length: int
) -> None:
    """The rows that it keeps are there at every moment, once, in order: it can be continued again, and then be read."""
    monkeypatch.setattr(module, "ROWS_PER_PART", 12)
    for survived in range(100):
        folder = written(tmp_path / str(survived), 20, length, monkeypatch)
        with monkeypatch.context() as patch:
            killed_before_change(survived, patch)
            with contextlib.suppress(KeyboardInterrupt):
                History(folder, columns, keep=15)
                break
        rows = read_history(folder)
        assert rows["iteration"].tolist() == [i for i in range(len(rows) // 2 + 1) for _ in range(2)][: len(rows)]
        assert len(rows) >= 2 * 15
        History(folder, columns, keep=15)
        assert read_history(folder)["iteration"].tolist() == [i for i in range(15) for _ in range(2)]
        assert set(read_columns(folder)) == set(columns)
    assert survived >= 1


def killed_before_change(number: int, patch: pytest.MonkeyPatch) -> None:
    """Has this process end, in effect, before it replaces or deletes its file of this number."""
    left = iter(range(number))
    for name in ("replace", "unlink"):
        change = getattr(Path, name)

        def counted(*given: Any, change: Callable[..., Any] = change, **named: Any) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return change(*given, **named)

        patch.setattr(Path, name, counted)


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
