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

    Where a value was measured in both ways, that from the snapshot counts: it may have been taken with other settings.
    """
    names = [name for name in map(str, history) if "/" in name and not name.startswith(NOT_MEASURES)]
    known = history.set_index(KEYS)[names].dropna(how="all")
    return known if measures is None else measures.set_index(KEYS).combine_first(known)
