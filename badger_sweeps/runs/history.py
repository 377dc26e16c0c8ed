"""`history.parquet`: every member's metrics and measures, readable while the run goes on and after it was killed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badger_sweeps.core.columns import Column, Columns, column_of
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import replacing
from badger_sweeps.training.loop import Record

if TYPE_CHECKING:  # half a second, which a start does without
    import pandas

NAME = "history.parquet"
KEYS = ("seed", "iteration")
"""The columns that tell rows apart."""
ROWS_PER_PART = 32768
RECORDS_PER_FLUSH = 100
SECONDS_PER_FLUSH = 1.0


class History:
    """A folder of Parquet parts that grows; whoever reads it sees whole records only.

    Part k holds rows k*32768 to (k+1)*32768. The last part is replaced by a longer one at least every second and every
    100 records, in one step, so that the folder can be read at any moment, a killed run loses no more than that, and
    the files depend on the rows alone.

    Args:
        folder: the run's folder.
        described: the columns after ``seed`` and ``iteration``, kept as metadata of their fields. Those without a value
            in every iteration are null where nothing was measured; what a history that is there has of others stays.
        keep: iterations to keep of a history that is there already; the others are dropped.

    Raises:
        UsageError: the history that is there does not hold `keep` whole iterations.
    """

    def __init__(self, folder: Path, described: Columns, keep: int = 0) -> None:
        self._folder = folder / NAME
        kept = _kept(self._folder, described, keep)
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


def check_history(folder: Path, described: Columns, keep: int) -> None:
    """Refuse a history that a run cannot go on from, as `History` does, without changing it."""
    _kept(folder / NAME, described, keep)


def field(column: Column) -> pa.Field:
    """The Parquet field of a column."""
    kind = pa.float32() if column.length is None else pa.list_(pa.float32())
    return pa.field(column.name, kind, metadata=column.metadata())


def described_by(schema: pa.Schema) -> dict[str, Column]:
    """The columns of a file, without ``seed`` and ``iteration``."""
    return {
        field.name: column_of(field.name, field.metadata, pa.types.is_list(field.type))
        for field in schema
        if field.name not in KEYS
    }


def _array(values: np.ndarray) -> pa.Array:
    return pa.array(list(values), pa.list_(pa.float32())) if values.ndim > 1 else pa.array(values)


def _kept(path: Path, described: Columns, keep: int) -> pa.Table:
    """The rows of the first `keep` iterations, all of which must be there; with the measures of then and of now."""
    each = sorted(described.values(), key=lambda column: not column.every_iteration)
    empty = pa.schema([*((key, pa.int64()) for key in KEYS), *map(field, each)]).empty_table()
    if not keep:
        return empty
    try:
        rows = pq.read_table(path)
        always = {*KEYS, *(column.name for column in each if column.every_iteration)}
        if missing := always.difference(rows.column_names):
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


def read_columns(folder: Path) -> dict[str, Column]:
    """What the columns of the history in `folder` hold, without ``seed`` and ``iteration``."""
    parts = sorted((folder / NAME).glob("part-*.parquet")) or [folder / NAME]
    return described_by(pq.read_schema(parts[0]))


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
