"""``badger_sweeps.load(DIR)``: what runs left behind, as tidy frames."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from badger_sweeps.configuration.recorded import configuration, run_folders
from badger_sweeps.core.columns import rows
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.history import read_columns
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.runs.summary import read_summary

if TYPE_CHECKING:
    import pandas

KEYS = ("run", "seed", "iteration")


@dataclass(frozen=True)
class Runs:
    """The runs below a folder. Nothing of them is read before it is asked for.

    Attributes:
        folder: it.
        names: their folders, relative to it; "." for itself.
    """

    folder: Path
    names: tuple[str, ...]

    def histories(self, columns: Sequence[str] | None = None) -> pandas.DataFrame:
        """A row for each run, seed and iteration: ``run``, ``seed``, ``iteration``, then these columns; null for all.

        A run that lacks a column has null there; that a run goes on does not matter.

        Raises:
            UsageError: no run has such a column.
        """
        frame: pandas.DataFrame = self.table(columns).to_pandas()
        return frame

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The same as an Arrow table, of which `polars.from_arrow` makes a Polars frame without copying it."""
        there = [name for name in self.names if (self.folder / name / HISTORY).exists()]
        with ThreadPoolExecutor() as pool:  # a thread for each run costs less than Arrow's own within each of them
            parts = list(pool.map(lambda name: _table(self.folder / name / HISTORY, columns), there))
        for place, (name, part) in enumerate(zip(there, parts, strict=True)):
            run = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(part)), [name])
            parts[place] = part.add_column(0, "run", run)
        table = pa.concat_tables(parts, promote_options="default").unify_dictionaries()
        for own in columns or []:
            if own not in table.column_names:
                known = [*dict.fromkeys(key for name in there for key in _known(self.folder / name / HISTORY))]
                raise UsageError(f"`columns` must be in a history; found {own!r}.{nearest(own, known)}")
        return table

    def columns(self) -> pandas.DataFrame:
        """A row for each column of the histories: its name, title, unit, axis, and what there is one for each of."""
        import pandas

        described = {
            name: column
            for run in self.names
            if (self.folder / run / HISTORY).exists()
            for name, column in read_columns(self.folder / run).items()
        }
        return pandas.DataFrame(rows(described.values()))

    def summaries(self) -> pandas.DataFrame:
        """A row for each seed of each finished run: ``run``, ``name``, ``seed``, its outcome, its graph's measures
        as ``topology/...``, the iterations at which its times are censored, and the run's configuration by key."""
        import pandas

        return pandas.DataFrame([row for name in self.names for row in self._seeds(name)])

    def _seeds(self, name: str) -> list[dict[str, Any]]:
        folder = self.folder / name
        if not (folder / SUMMARY).exists():
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


def _parts(history: Path) -> list[Path]:
    """The files of a history; it may be one itself."""
    return sorted(history.glob("part-*.parquet")) or [history]


def _known(history: Path) -> list[str]:
    return list(pq.read_schema(_parts(history)[0]).names)


def _table(history: Path, columns: Sequence[str] | None) -> pa.Table:
    """Those of the columns that the history has, behind the keys."""
    files = [pq.ParquetFile(part) for part in _parts(history)]
    known = files[0].schema_arrow.names
    wanted = None if columns is None else [own for own in (*KEYS[1:], *columns) if own in known]
    return pa.concat_tables([file.read(wanted, use_threads=False) for file in files])


def runs_below(folder: Path) -> Runs:
    """The runs below a folder, finished or not, in the order of their names.

    Raises:
        UsageError: there are none.
    """
    found = [run for run in run_folders(folder) if (run / HISTORY).exists()]
    if not found:
        raise UsageError(f"`{folder}` must have runs below it; found none.")
    return Runs(folder, tuple(str(run.relative_to(folder)) for run in found))
