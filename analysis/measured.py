"""What was measured on a run: during training, in its history, and from its snapshots, in `measures.parquet`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from badger_sweeps.foundations.files import replacing

NAME = "measures.parquet"
KEYS = ["seed", "iteration"]
NOT_MEASURES = ("loss_dim/", "schedule/", "plateau/")
"""Columns of the history with a slash in their name that hold a value at every iteration."""


def read_measures(run: Path) -> pd.DataFrame | None:
    """What was measured from the snapshots of the run in a folder; None where nothing was."""
    return pd.read_parquet(run / NAME) if (run / NAME).exists() else None


def write_measures(run: Path, found: pd.DataFrame) -> None:
    """Write `measures.parquet`. Columns measured now replace those of before; others stay."""
    before = read_measures(run)
    if before is not None:
        others = [name for name in before if name in KEYS or name not in found]
        found = before[others].merge(found, on=KEYS, how="outer").sort_values(["iteration", "seed"])
    with replacing(run / NAME) as file:
        pq.write_table(pa.Table.from_pandas(found, preserve_index=False), file, compression="zstd")


def all_measured(history: pd.DataFrame, measures: pd.DataFrame | None) -> pd.DataFrame:
    """Every measure of a run, indexed by seed and iteration, at the iterations at which anything was measured.

    What was measured from snapshots takes the place of the whole column that was recorded in training: it may have been
    taken with other settings, and the two must not be mixed in one curve.
    """
    names = [name for name in map(str, history) if "/" in name and not name.startswith(NOT_MEASURES)]
    known = history.set_index(KEYS)[names].dropna(how="all")
    if measures is None:
        return known
    again = measures.set_index(KEYS)
    return again.join(known.drop(columns=[name for name in again if name in known]), how="outer").sort_index()
