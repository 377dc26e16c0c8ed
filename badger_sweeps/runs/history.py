"""`history.parquet`: every member's metrics, readable while the run goes on and after it was killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badger_sweeps.foundations.errors import UsageError
from badger_sweeps.foundations.files import replacing
from badger_sweeps.training.loop import Record

NAME = "history.parquet"
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
        metrics: names of the metric columns, which follow ``seed`` and ``iteration``.
        keep: iterations to keep of a history that is there already; the others are dropped.

    Raises:
        UsageError: the history that is there does not hold `keep` whole iterations.
    """

    def __init__(self, folder: Path, metrics: Sequence[str], keep: int = 0) -> None:
        self._folder = folder / NAME
        self._schema = _schema(metrics)
        kept = _kept(self._folder, self._schema, keep)
        self._part, in_last_part = divmod(kept.num_rows, ROWS_PER_PART)
        self._rows = kept.slice(kept.num_rows - in_last_part)
        self._pending: list[pa.RecordBatch] = []
        self._flushed_at = time.monotonic()
        self._folder.mkdir(exist_ok=True)
        for part in sorted(self._folder.glob("part-*.parquet"), reverse=True):
            if part > self._path(self._part):
                part.unlink()
        self._write()

    def observe(self, record: Record) -> None:
        """Take in one record."""
        seeds = np.array(record.seeds, dtype=np.int64)
        columns = [seeds, np.full_like(seeds, record.iteration)]
        columns += [record.metrics[name] for name in self._schema.names[2:]]
        self._pending.append(pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=self._schema))
        overdue = time.monotonic() - self._flushed_at >= SECONDS_PER_FLUSH
        if overdue or len(self._pending) >= RECORDS_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken in."""
        if self._pending:
            self._rows = pa.concat_tables([self._rows, pa.Table.from_batches(self._pending)]).combine_chunks()
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


def check_history(folder: Path, metrics: Sequence[str], keep: int) -> None:
    """Refuse a history that a run cannot go on from, as `History` does, without changing it."""
    _kept(folder / NAME, _schema(metrics), keep)


def _schema(metrics: Sequence[str]) -> pa.Schema:
    return pa.schema([("seed", pa.int64()), ("iteration", pa.int64()), *((name, pa.float32()) for name in metrics)])


def _kept(path: Path, schema: pa.Schema, keep: int) -> pa.Table:
    """The rows of the first `keep` iterations, all of which must be there."""
    if not keep:
        return schema.empty_table()
    try:
        rows = pq.read_table(path).cast(schema)
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


def read_history(folder: Path) -> pd.DataFrame:
    """The history of the run in `folder`: ``seed``, ``iteration``, then the metrics; in order of iterations."""
    return pd.read_parquet(folder / NAME)


def columns_by_seed(history: pd.DataFrame) -> dict[int, dict[str, NDArray[np.float32]]]:
    """Each member's metrics by name, one value for each of its iterations."""
    return {
        int(str(seed)): {str(name): rows[name].to_numpy() for name in rows.columns[2:]}
        for seed, rows in history.groupby("seed", sort=False)
    }
