"""`history.parquet`: every member's metrics and measures, readable while the run is running and after it was killed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badger_sweeps.core.columns import Column, Columns, column_of
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import reading, replacing
from badger_sweeps.training.loop import Records

if TYPE_CHECKING:  # importing it takes half a second at each start
    import pandas

HISTORY_FILE = "history.parquet"
KEYS = ("seed", "iteration")
"""The key columns: together they identify a row."""
ROWS_PER_PART = 16384
"""Rows of all parts but the last: few enough that it is fast to write the last part anew, every 100 iterations."""
ITERATIONS_PER_FLUSH = 100
SECONDS_PER_FLUSH = 1.0


class History:
    """A growing folder of Parquet parts, of which readers only ever see complete records.

    Part k holds rows k*16384 to (k+1)*16384. The last part is replaced atomically by a longer one at least every second
    and every 100 iterations. So the folder can be read at any moment, a killed run loses at most one second or 100
    iterations, and those that are being computed, and the files depend only on the rows. The rows that a continued run
    keeps are in the folder at every moment; parts of another length, which earlier versions wrote, stay as they are.

    Args:
        folder: the run's folder.
        columns: the columns after ``seed`` and ``iteration``, stored as metadata of their fields. Columns without a
            value in every iteration are null where they were not measured. Further columns of an existing history stay.
        keep: number of iterations of an existing history to keep; later iterations are dropped.

    Raises:
        UsageError: the existing history does not hold `keep` complete iterations.
    """

    def __init__(self, folder: Path, columns: Columns, keep: int = 0) -> None:
        self._folder = folder / HISTORY_FILE
        self._part, self._rows = 0, _kept(folder, columns, keep)
        self._pending: list[pa.Table] = []
        self._iterations = 0
        self._flushed_at = time.monotonic()
        self._folder.mkdir(exist_ok=True)
        if keep:
            self._pass_full_parts()
        self._remove_later_parts()
        self._write()

    def _pass_full_parts(self) -> None:
        """Leave the full parts of an existing history in place, with the columns of the new one.

        A row never moves to another part, where it would be lost if the process were killed in between. So parts keep
        the length that another version may have given them.
        """
        for path in history_parts(self._folder.parent):
            written, kept = pq.read_metadata(path).num_rows, self._rows.num_rows
            if kept <= written:
                self._remove_later_parts()
                if kept < ROWS_PER_PART:
                    return  # this part grows
            # Readers take the columns of the first part as those of all parts, and so they must be.
            if kept < written or not self._rows.schema.equals(pq.read_schema(path), check_metadata=True):
                self._replace_part(self._rows.slice(0, written))
            self._rows = self._rows.slice(written)
            self._part += 1
            if kept <= written:
                return

    def _remove_later_parts(self) -> None:
        """Delete the parts after the current one. The last goes first, so that readers never see a gap."""
        for part in sorted(self._folder.glob("part-*.parquet"), reverse=True):
            if part > self._path(self._part):
                part.unlink()

    def observe(self, records: Records) -> None:
        """Add records; they are written with the next flush."""
        seeds, iterations = np.array(records.seeds, dtype=np.int64), np.array(records.iterations, dtype=np.int64)
        numbers = {
            "seed": np.tile(seeds, len(iterations)),
            "iteration": np.repeat(iterations, len(seeds)),
            **{name: values.reshape(-1) for name, values in records.metrics.items()},
        }
        rows = pa.table({name: _array(values) for name, values in numbers.items()})
        if records.measures:  # of the first iteration alone
            first = rows.slice(0, len(seeds))
            for name, values in records.measures.items():
                first = first.append_column(name, _array(values))
            self._pending += [first, rows.slice(len(seeds))]
        else:
            self._pending.append(rows)
        self._iterations += len(iterations)
        overdue = time.monotonic() - self._flushed_at >= SECONDS_PER_FLUSH
        if overdue or self._iterations >= ITERATIONS_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write all records added so far."""
        if self._pending:
            # Tables without measures lack their columns, which are filled with nulls.
            rows = pa.concat_tables([self._rows, *self._pending], promote_options="default")
            self._rows = rows.combine_chunks()
            self._pending, self._iterations = [], 0
            self._write()
        self._flushed_at = time.monotonic()

    def _write(self) -> None:
        while self._rows.num_rows >= ROWS_PER_PART:
            self._replace_part(self._rows.slice(0, ROWS_PER_PART))
            self._rows = self._rows.slice(ROWS_PER_PART)
            self._part += 1
        self._replace_part(self._rows)

    def _replace_part(self, rows: pa.Table) -> None:
        write_table(self._path(self._part), rows)

    def _path(self, part: int) -> Path:
        return self._folder / f"part-{part:05d}.parquet"


def write_history(path: Path, rows: pa.Table) -> None:
    """Replace the history at `path` by one with these rows."""
    path.mkdir(exist_ok=True)
    for part in path.glob("part-*.parquet"):
        part.unlink()
    for number in range(max(1, -(-rows.num_rows // ROWS_PER_PART))):
        write_table(path / f"part-{number:05d}.parquet", rows.slice(number * ROWS_PER_PART, ROWS_PER_PART))


def write_table(path: Path, rows: pa.Table) -> None:
    """Replace the file of a history, or of one of its parts."""
    with replacing(path) as file:
        # Values that are all different make a dictionary of them twice as slow to write, and the file larger.
        pq.write_table(rows, file, compression="zstd", use_dictionary=list(KEYS))


def check_history(folder: Path, columns: Columns, keep: int) -> None:
    """Raise the `UsageError` of `History` if a run cannot continue from the existing history; changes no file."""
    _kept(folder, columns, keep)


def field(column: Column) -> pa.Field:
    """The Parquet field of a column."""
    kind = pa.float32() if column.length is None else pa.list_(pa.float32())
    return pa.field(column.name, kind, metadata=column.metadata())


def columns_of(schema: pa.Schema) -> dict[str, Column]:
    """The columns of a file, without ``seed`` and ``iteration``."""
    return {
        field.name: column_of(field.name, field.metadata, pa.types.is_list(field.type))
        for field in schema
        if field.name not in KEYS
    }


def _array(values: np.ndarray) -> pa.Array:
    """Numbers as an array, vectors as an array of lists. `pa.array` would import pandas, in a quarter of a second."""
    if values.ndim > 1:
        offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
        return pa.ListArray.from_arrays(_array(offsets), _array(values.reshape(-1)))
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _empty_table(schema: pa.Schema) -> pa.Table:
    """`Schema.empty_table`, which imports pandas as well."""
    return pa.Table.from_arrays([pa.nulls(0, each.type) for each in schema], schema=schema)


def _kept(folder: Path, columns: Columns, keep: int) -> pa.Table:
    """The rows of the first `keep` iterations, which must be complete, with the columns of the file and of `columns`.

    Raises:
        UsageError: iterations or columns are missing.
    """
    each = sorted(columns.values(), key=lambda column: not column.every_iteration)
    empty = _empty_table(pa.schema([*((key, pa.int64()) for key in KEYS), *map(field, each)]))
    if not keep:
        return empty
    try:
        rows = read_table(folder)
        always = {*KEYS, *(column.name for column in each if column.every_iteration)}
        if missing := always.difference(rows.column_names):
            raise ValueError(f"no column {missing}")
        rows = pa.concat_tables([empty, rows], promote_options="default")
    except (OSError, ValueError):
        found = "a damaged one" if (folder / HISTORY_FILE).exists() else "none"
    else:
        kept = rows.filter(pc.less(rows["iteration"], keep))
        recorded = pc.count_distinct(kept["iteration"]).as_py()
        if recorded == keep:
            return kept
        found = f"{recorded} of them"
    rule = f"must hold the {keep} iterations that its checkpoint has done"
    raise UsageError(f"`{folder / HISTORY_FILE}` {rule}; found {found}. Delete checkpoint.pt to restart.")


def history_parts(folder: Path) -> list[Path]:
    """The files of the history of the run in `folder`: its parts, or the single file of an imported history."""
    return sorted((folder / HISTORY_FILE).glob("part-*.parquet")) or [folder / HISTORY_FILE]


def read_columns(folder: Path) -> dict[str, Column]:
    """The columns of the history of the run in `folder`, by name, without ``seed`` and ``iteration``."""
    first = history_parts(folder)[0]
    with reading(first):
        return columns_of(pq.read_schema(first))


def read_table(folder: Path, names: Sequence[str] | None = None, threads: bool = True) -> pa.Table:
    """The history of the run in `folder`: ``seed`` and ``iteration``, then the columns; sorted by iteration.

    Args:
        folder: the run's folder.
        names: the names of the columns; those that the history lacks are left out. None: all columns.
        threads: whether to read columns in parallel; one thread for each of many runs is faster.

    Raises:
        UsageError: the history is damaged.
        FileNotFoundError: there is none.
    """
    read, wanted = [], None
    for part in history_parts(folder):
        with reading(part):
            file = pq.ParquetFile(part)
            if names is not None and wanted is None:
                known = file.schema_arrow.names
                wanted = [*KEYS, *(name for name in names if name in known and name not in KEYS)]
            read.append(file.read(wanted, use_threads=threads))
    return pa.concat_tables(read, promote_options="default")


def read_history(folder: Path, names: Sequence[str] | None = None) -> pandas.DataFrame:
    """`read_table` as a data frame."""
    history: pandas.DataFrame = read_table(folder, names).to_pandas()
    return history


def columns_by_seed(history: pandas.DataFrame) -> dict[int, dict[str, NDArray[np.float32]]]:
    """By seed and metric, an array with one value for each of the member's iterations."""
    return {
        int(str(seed)): {str(name): rows[name].to_numpy() for name in rows.columns[2:]}
        for seed, rows in history.groupby("seed", sort=False)
    }


def iterations(
    history: pandas.DataFrame, names: Sequence[str]
) -> Iterator[tuple[int, list[int], dict[str, NDArray[np.float32]]]]:
    """For each recorded iteration, in order: its number, its seeds, and by name the values of these columns."""
    numbers = history["iteration"].to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    seeds = np.split(history["seed"].to_numpy(), starts[1:])
    columns = {name: np.split(history[name].to_numpy(), starts[1:]) for name in names}
    for position, start in enumerate(starts):
        values = {name: parts[position] for name, parts in columns.items()}
        yield int(numbers[start]), seeds[position].tolist(), values
