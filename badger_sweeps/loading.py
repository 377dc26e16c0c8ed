"""``badger_sweeps.load(DIR)``: the histories and summaries of runs as tidy data frames."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from badger_sweeps.configuration.recorded import configuration, run_folders
from badger_sweeps.configuration.recorded_columns import recorded_columns
from badger_sweeps.core.columns import Column, rows
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.runs.history import HISTORY_FILE
from badger_sweeps.runs.snapshot_measures import MEASURES_FILE, read_with_measures
from badger_sweeps.runs.summary import SUMMARY_FILE, read_summary

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Runs:
    """The runs below a folder. Their files are read when a method is called.

    Attributes:
        folder: the folder.
        names: the runs' folders, relative to `folder`; "." for `folder` itself.
    """

    folder: Path
    names: tuple[str, ...]

    def histories(self, columns: Sequence[str] | None = None) -> pandas.DataFrame:
        """A row for each run, seed and iteration: ``run``, ``seed``, ``iteration``, then the columns.

        The columns are those of `history.parquet` and of `measures.parquet`, the measures from snapshots. A run without
        one of the columns has nulls there. An iteration that only one file has has nulls in the columns of the other:
        the end of training, for instance, comes after the history's last iteration. A column in both files is that of
        `measures.parquet`, as in reports. Runs may still be running.

        Args:
            columns: names of the columns; None for all. The rows of `measures.parquet` are added if it has one of them.

        Raises:
            UsageError: no run has a column of this name.
        """
        frame: pandas.DataFrame = self.table(columns).to_pandas()
        return frame

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """`histories` as an Arrow table, which `polars.from_arrow` turns into a Polars frame without copying."""
        started = [name for name in self.names if (self.folder / name / HISTORY_FILE).exists()]
        with ThreadPoolExecutor() as pool:  # a thread for each run is faster than Arrow's threads within each run
            parts = list(pool.map(lambda name: read_with_measures(self.folder / name, columns, threads=False), started))
        for position, (name, part) in enumerate(zip(started, parts, strict=True)):
            run = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(part)), [name])
            parts[position] = part.add_column(0, "run", run)
        table = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
        for column in columns or []:
            if column not in table.column_names:
                rule = f"`columns` must be in {HISTORY_FILE} or {MEASURES_FILE}"
                raise UsageError(f"{rule}; found {column!r}.{nearest(column, self._columns())}")
        return table

    def columns(self) -> pandas.DataFrame:
        """A row for each column of `histories`: its name, title, unit, axis and further attributes (`rows`)."""
        import pandas

        return pandas.DataFrame(rows(self._columns().values()))

    def _columns(self) -> dict[str, Column]:
        """The columns of all runs by name, without the key columns."""
        return {
            name: column
            for run in self.names
            if (self.folder / run / HISTORY_FILE).exists()
            for name, column in recorded_columns(self.folder / run).items()
        }

    def summaries(self) -> pandas.DataFrame:
        """A row for each seed of each finished run: ``run``, ``name``, ``budget`` (the iterations at which times are
        censored), the seed and its outcome, its graph's connectivity as ``topology/...``, and the run's configuration
        by key."""
        import pandas

        return pandas.DataFrame([row for name in self.names for row in self._seeds(name)])

    def _seeds(self, name: str) -> list[dict[str, Any]]:
        folder = self.folder / name
        if not (folder / SUMMARY_FILE).exists():
            return []
        summary = read_summary(folder)
        config = configuration(folder)
        return [
            {
                "run": name,
                "name": summary.name,
                "budget": summary.budget,
                **outcome.as_row(),
                "plateaus": len(outcome.plateaus),
                **{f"topology/{key}": value for key, value in summary.graphs[outcome.seed]._asdict().items()},
                **config,
            }
            for outcome in summary.outcomes
        ]


def runs_below(folder: Path) -> Runs:
    """The runs below a folder, finished or not, in the order of their names.

    Raises:
        UsageError: there are no runs below the folder.
    """
    started = [run for run in run_folders(folder) if (run / HISTORY_FILE).exists()]
    if not started:
        raise UsageError(f"`{folder}` must have runs below it; found none.")
    return Runs(folder, tuple(str(run.relative_to(folder)) for run in started))
