"""`history.parquet`: every member's metrics and measures, readable while the run goes on and after it was killed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import replacing
from badger_sweeps.training.loop import Record

if TYPE_CHECKING:  # half a second, which a start does without
    import pandas

NAME = "history.parquet"
ROWS_PER_PART = 32768
RECORDS_PER_FLUSH = 100
SECONDS_PER_FLUSH = 1.0
Shapes = Mapping[str, Sequence[int]]
"""Columns by name, and the shape of one member's value: () for a number, (n,) for a vector."""


class History:
    """A folder of Parquet parts that grows; whoever reads it sees whole records only.

    Part k holds rows k*32768 to (k+1)*32768. The last part is replaced by a longer one at least every second and every
    100 records, in one step, so that the folder can be read at any moment, a killed run loses no more than that, and
    the files depend on the rows alone.

    Args:
        folder: the run's folder.
        metrics: names of the metric columns, which follow ``seed`` and ``iteration``.
        measures: names and shapes of the columns after them, which are null where nothing was measured. Those of a
            history that is there already stay.
        keep: iterations to keep of a history that is there already; the others are dropped.

    Raises:
        UsageError: the history that is there does not hold `keep` whole iterations.
    """

    def __init__(self, folder: Path, metrics: Sequence[str], measures: Shapes | None = None, keep: int = 0) -> None:
        self._folder = folder / NAME
        kept = _kept(self._folder, metrics, measures or {}, keep)
        # Readers take the columns of the first part for those of all: new ones must be in every part.
        same = not keep or kept.column_names == pq.read_schema(self._path(0)).names
        self._part = kept.num_rows // ROWS_PER_PART if same else 0
        self._rows = kept.slice(self._part * ROWS_PER_PART)
        self._pending: list[pa.Table] = []
        self._flushed_at = time.monotonic()
        self._folder.mkdir(exist_ok=True)
        for part in sorted(self._folder.glob("part-*.parquet"), reverse=True):
            if part > self._path(self._part):
                part.unlink()
        self._write()

    def observe(self, record: Record) -> None:
        """Take in one record."""
        seeds = np.array(record.seeds, dtype=np.int64)
        numbers = {"iteration": np.full_like(seeds, record.iteration), **record.metrics, **record.measures}
        columns = {"seed": pa.array(seeds), **{name: _array(values) for name, values in numbers.items()}}
        self._pending.append(pa.table(columns))
        overdue = time.monotonic() - self._flushed_at >= SECONDS_PER_FLUSH
        if overdue or len(self._pending) >= RECORDS_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken in."""
        if self._pending:
            # Tables without measures lack their columns, which are filled with nulls.
            rows = pa.concat_tables([self._rows, *self._pending], promote_options="default")
            self._rows = rows.combine_chunks()
            self._pending = []
            self._write()
        self._flushed_at = time.monotonic()

    def _write(self) -> None:
        while self._rows.num_rows >= ROWS_PER_PART:
            self._replace_part(self._rows.slice(0, ROWS_PER_PART))
            self._rows = self._rows.slice(ROWS_PER_PART)
            self._part += 1
        self._replace_part(self._rows)

    def _replace_part(self, rows: pa.Table) -> None:
        with replacing(self._path(self._part)) as file:
            pq.write_table(rows, file, compression="zstd")

    def _path(self, part: int) -> Path:
        return self._folder / f"part-{part:05d}.parquet"


def write_history(path: Path, rows: pa.Table) -> None:
    """Replace the history at `path` by a finished one of these rows."""
    path.mkdir(exist_ok=True)
    for part in path.glob("part-*.parquet"):
        part.unlink()
    for number in range(max(1, -(-rows.num_rows // ROWS_PER_PART))):
        with replacing(path / f"part-{number:05d}.parquet") as file:
            pq.write_table(rows.slice(number * ROWS_PER_PART, ROWS_PER_PART), file, compression="zstd")


def check_history(folder: Path, metrics: Sequence[str], measures: Shapes, keep: int) -> None:
    """Refuse a history that a run cannot go on from, as `History` does, without changing it."""
    _kept(folder / NAME, metrics, measures, keep)


def _array(values: np.ndarray) -> pa.Array:
    return pa.array(list(values), pa.list_(pa.float32())) if values.ndim > 1 else pa.array(values)


def _kept(path: Path, metrics: Sequence[str], measures: Shapes, keep: int) -> pa.Table:
    """The rows of the first `keep` iterations, all of which must be there; with the measures of then and of now."""
    always = [("seed", pa.int64()), ("iteration", pa.int64()), *((name, pa.float32()) for name in metrics)]
    sometimes = [(name, pa.list_(pa.float32()) if shape else pa.float32()) for name, shape in measures.items()]
    empty = pa.schema(always + sometimes).empty_table()
    if not keep:
        return empty
    try:
        rows = pq.read_table(path)
        if missing := {name for name, _ in always}.difference(rows.column_names):
            raise ValueError(f"no column {missing}")
        rows = pa.concat_tables([empty, rows], promote_options="default")
    except (OSError, ValueError):
        found = "a damaged one" if path.exists() else "none"
    else:
        kept = rows.filter(pa.compute.less(rows["iteration"], keep))
        recorded = pa.compute.count_distinct(kept["iteration"]).as_py()
        if recorded == keep:
            return kept
        found = f"{recorded} of them"
    rule = f"must hold the {keep} iterations that its checkpoint has done"
    raise UsageError(f"`{path}` {rule}; found {found}. Delete checkpoint.pt to start anew.")


def read_history(folder: Path) -> pandas.DataFrame:
    """The history of the run in `folder`: ``seed``, ``iteration``, then the metrics; in order of iterations."""
    history: pandas.DataFrame = pq.read_table(folder / NAME).to_pandas()
    return history


def columns_by_seed(history: pandas.DataFrame) -> dict[int, dict[str, NDArray[np.float32]]]:
    """Each member's metrics by name, one value for each of its iterations."""
    return {
        int(str(seed)): {str(name): rows[name].to_numpy() for name in rows.columns[2:]}
        for seed, rows in history.groupby("seed", sort=False)
    }


def iterations(
    history: pandas.DataFrame, names: Sequence[str]
) -> Iterator[tuple[int, list[int], dict[str, NDArray[np.float32]]]]:
    """Number, seeds and these columns of each recorded iteration, in order."""
    numbers = history["iteration"].to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    seeds = np.split(history["seed"].to_numpy(), starts[1:])
    columns = {name: np.split(history[name].to_numpy(), starts[1:]) for name in names}
    for place, start in enumerate(starts):
        values = {name: parts[place] for name, parts in columns.items()}
        yield int(numbers[start]), seeds[place].tolist(), values
