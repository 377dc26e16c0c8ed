"""`measures.parquet`: the measures of a run that were taken from its snapshots after training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from badger_sweeps.core.columns import Column, Columns
from badger_sweeps.core.files import reading
from badger_sweeps.runs.history import columns_of, read_table, write_table

if TYPE_CHECKING:  # importing it takes half a second
    import pandas as pd

MEASURES_FILE = "measures.parquet"
KEYS = ["seed", "iteration"]
MEASURED_WITH = b"badger_sweeps measured_with"
"""The key of the file's metadata that stores `measured_with`."""
MEASURED_AT = b"badger_sweeps measured_at"
"""The key of the file's metadata that stores `measured_at`."""


def read_measured_columns(run: Path) -> dict[str, Column]:
    """The columns of a run's `measures.parquet` by name; empty if there is no such file."""
    schema = _schema(run)
    return {} if schema is None else columns_of(schema)


def read_measures(run: Path) -> pd.DataFrame | None:
    """The measures from a run's snapshots; None if there are none."""
    if not (run / MEASURES_FILE).exists():
        return None
    with reading(run / MEASURES_FILE):
        measures: pd.DataFrame = pq.ParquetFile(run / MEASURES_FILE).read().to_pandas()
    return measures


def read_with_measures(run: Path, names: Sequence[str] | None = None, threads: bool = True) -> pa.Table:
    """The history of a run joined with its `measures.parquet`: ``seed``, ``iteration``, then the columns.

    There is a row for each seed and iteration of either file; the columns of the other file are null in it. A column in
    both files is that of `measures.parquet`, as in `all_measured`.

    Args:
        run: the run's folder.
        names: the names of the columns; those that neither file has are left out. `measures.parquet` is read, and its
            rows are added, only if it has one of these columns. None: all columns of both files.
        threads: see `read_table`.

    Raises:
        OSError, ValueError: there is no history, or a file is damaged.
    """
    known = read_measured_columns(run)
    measured = [name for name in known if names is None or name in names]
    if not measured:
        return read_table(run, names, threads)
    history = read_table(run, names, threads)
    history = history.drop_columns([name for name in measured if name in history.column_names])
    with reading(run / MEASURES_FILE):
        measures = pq.ParquetFile(run / MEASURES_FILE).read([*KEYS, *measured], use_threads=threads)
    keys = [
        table.select(KEYS).append_column(row, pa.array(range(len(table)), pa.int64()))
        for table, row in ((history, "history"), (measures, "measures"))
    ]
    rows = keys[0].join(keys[1], KEYS, join_type="full outer", use_threads=False)
    rows = rows.sort_by([("iteration", "ascending"), ("history", "ascending"), ("measures", "ascending")])
    joined = rows.select(KEYS)
    for table, row in ((history, "history"), (measures, "measures")):
        for name in table.column_names[len(KEYS) :]:
            joined = joined.append_column(table.schema.field(name), pc.take(table[name], rows[row]))
    if names is None:
        return joined
    return joined.select([*KEYS, *(name for name in names if name in joined.column_names and name not in KEYS)])


def measured_with(run: Path) -> Mapping[str, str]:
    """By column of `measures.parquet`, a hash of the settings and the code it was measured with."""
    schema = _schema(run)
    return {} if schema is None else dict(json.loads((schema.metadata or {}).get(MEASURED_WITH, b"{}")))


def measured_at(run: Path) -> Mapping[str, frozenset[int]]:
    """By column of `measures.parquet`, the iterations at which it was measured, even if all values there are NaN.

    Files of earlier versions do not record this; for them, the iterations with any value.
    """
    values, schema = read_measures(run), _schema(run)
    if values is None or schema is None:
        return {}
    recorded = json.loads((schema.metadata or {}).get(MEASURED_AT, b"{}"))
    names = [name for name in map(str, values) if name not in KEYS]
    with_value = {name: values.loc[values[name].notna(), "iteration"].tolist() for name in names}
    return {name: frozenset(iterations) for name, iterations in (with_value | recorded).items()}


def write_measures(
    run: Path, values: pd.DataFrame, measured_by: Mapping[str, str], columns: Columns | None = None
) -> None:
    """Write `measures.parquet`; the new columns replace existing columns of the same names, other columns stay.

    Args:
        run: the run's folder.
        values: a row for each seed and iteration; each column was measured at all iterations.
        measured_by: see `measured_with`, for the columns of `values`.
        columns: the columns of `values` by name.
    """
    before = read_measures(run)
    sources = {**measured_with(run), **measured_by}
    iterations = sorted(set(values["iteration"].tolist()))
    at = {name: sorted(earlier) for name, earlier in measured_at(run).items()}
    at |= {name: iterations for name in map(str, values) if name not in KEYS}
    if before is not None:
        others = [name for name in before if name in KEYS or name not in values]
        values = before[others].merge(values, on=KEYS, how="outer").sort_values(["iteration", "seed"])
    table = _with_metadata(
        pa.Table.from_pandas(values, preserve_index=False), read_measured_columns(run) | dict(columns or {})
    )
    table = table.replace_schema_metadata(
        {
            **(table.schema.metadata or {}),
            MEASURED_WITH: json.dumps(sources).encode(),
            MEASURED_AT: json.dumps(at).encode(),
        }
    )
    write_table(run / MEASURES_FILE, table)


def _with_metadata(table: pa.Table, columns: Columns) -> pa.Table:
    """The table with the columns' declarations as metadata of its fields."""
    fields = [
        field.with_metadata(columns[field.name].metadata()) if field.name in columns else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def all_measured(history: pd.DataFrame, measures: pd.DataFrame | None, columns: Columns) -> pd.DataFrame:
    """All measures of a run, indexed by seed and iteration, at the iterations at which any measure was taken.

    A column measured from snapshots replaces the whole column recorded in training: their settings may differ, and a
    curve must not mix the two.

    Args:
        history: the run's history.
        measures: the run's `measures.parquet`; None if there is none.
        columns: the columns of both files by name.
    """
    names = [name for name, column in columns.items() if name in history and not column.every_iteration]
    known = history.set_index(KEYS)[names].dropna(how="all")
    if measures is None:
        return known
    again = measures.set_index(KEYS)
    return again.join(known.drop(columns=[name for name in again if name in known]), how="outer").sort_index()


def _schema(run: Path) -> pa.Schema | None:
    """The schema of a run's `measures.parquet`; None if there is no such file."""
    path = run / MEASURES_FILE
    if not path.exists():
        return None
    with reading(path):
        return pq.read_schema(path)
