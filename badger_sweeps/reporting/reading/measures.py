"""What was measured on a run: during training, in its history, and from its snapshots, in `measures.parquet`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from badger_sweeps.core.columns import Column, Columns
from badger_sweeps.core.files import replacing
from badger_sweeps.runs.history import described_by

NAME = "measures.parquet"
KEYS = ["seed", "iteration"]
MEASURED_WITH = b"badger_sweeps measured_with"
"""The key of Parquet's metadata under which `measured_with` is kept."""
MEASURED_AT = b"badger_sweeps measured_at"
"""The key under which `measured_at` is kept."""


def read_measured_columns(run: Path) -> dict[str, Column]:
    """What the columns of a run's `measures.parquet` hold; empty where there is none."""
    return described_by(pq.read_schema(run / NAME)) if (run / NAME).exists() else {}


def read_measures(run: Path) -> pd.DataFrame | None:
    """What was measured from the snapshots of the run in a folder; None where nothing was."""
    return pd.read_parquet(run / NAME) if (run / NAME).exists() else None


def measured_with(run: Path) -> Mapping[str, str]:
    """With what each column of `measures.parquet` was measured: a hash of the settings and the code."""
    if not (run / NAME).exists():
        return {}
    known = pq.read_schema(run / NAME).metadata or {}
    return dict(json.loads(known.get(MEASURED_WITH, b"{}")))


def measured_at(run: Path) -> Mapping[str, frozenset[int]]:
    """At which iterations each column of `measures.parquet` was measured, whatever the values: all of them may be NaN.

    Of files in which that was not noted, where there is any value.
    """
    found = read_measures(run)
    if found is None:
        return {}
    noted = json.loads((pq.read_schema(run / NAME).metadata or {}).get(MEASURED_AT, b"{}"))
    known = {name: found.loc[found[name].notna(), "iteration"].tolist() for name in map(str, found) if name not in KEYS}
    return {name: frozenset(iterations) for name, iterations in (known | noted).items()}


def write_measures(
    run: Path, found: pd.DataFrame, measured_by: Mapping[str, str], described: Columns | None = None
) -> None:
    """Write `measures.parquet`. Columns measured now replace those of before; others stay.

    Args:
        run: the run's folder.
        found: a row for each seed and iteration; each of its columns was measured at all of its iterations.
        measured_by: see `measured_with`, of the columns of `found`.
        described: what the columns of `found` hold.
    """
    before = read_measures(run)
    sources = {**measured_with(run), **measured_by}
    moments = sorted(set(found["iteration"].tolist()))
    at = {name: sorted(iterations) for name, iterations in measured_at(run).items()}
    at |= {name: moments for name in map(str, found) if name not in KEYS}
    if before is not None:
        others = [name for name in before if name in KEYS or name not in found]
        found = before[others].merge(found, on=KEYS, how="outer").sort_values(["iteration", "seed"])
    table = _described(
        pa.Table.from_pandas(found, preserve_index=False), read_measured_columns(run) | dict(described or {})
    )
    table = table.replace_schema_metadata(
        {
            **(table.schema.metadata or {}),
            MEASURED_WITH: json.dumps(sources).encode(),
            MEASURED_AT: json.dumps(at).encode(),
        }
    )
    with replacing(run / NAME) as file:
        pq.write_table(table, file, compression="zstd")


def _described(table: pa.Table, described: Columns) -> pa.Table:
    """The table with its columns' descriptions as metadata of its fields."""
    fields = [
        field.with_metadata(described[field.name].metadata()) if field.name in described else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def all_measured(history: pd.DataFrame, measures: pd.DataFrame | None, described: Columns) -> pd.DataFrame:
    """Every measure of a run, indexed by seed and iteration, at the iterations at which anything was measured.

    What was measured from snapshots takes the place of the whole column that was recorded in training: it may have been
    taken with other settings, and the two must not be mixed in one curve.

    Args:
        history: the run's.
        measures: its `measures.parquet`; None where there is none.
        described: the history's columns.
    """
    names = [name for name, column in described.items() if name in history and not column.every_iteration]
    known = history.set_index(KEYS)[names].dropna(how="all")
    if measures is None:
        return known
    again = measures.set_index(KEYS)
    return again.join(known.drop(columns=[name for name in again if name in known]), how="outer").sort_index()
