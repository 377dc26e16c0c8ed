"""Delivery: logging a run to its tracker later, from the run's folder, as the run itself would have logged it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from badger_sweeps.measures.objectives import per_seed
from badger_sweeps.runs.history import iterations, read_history
from badger_sweeps.runs.provenance import exit_status
from badger_sweeps.runs.run import Plan, describe
from badger_sweeps.runs.summary import SUMMARY_FILE, read_summary
from badger_sweeps.tracking.progress import TerminalProgress
from badger_sweeps.training.loop import Record, Records

if TYPE_CHECKING:
    import pandas


def deliver(plan: Plan, console: Console) -> None:
    """Log all records in the run's folder, and the run's outcome, to `plan.tracking`; the console shows the progress.

    The tracker skips the rows that its server has already.
    """
    description = describe(plan, 0)
    history = read_history(plan.folder)
    finished = (plan.folder / SUMMARY_FILE).exists()
    status = 1
    tracker = plan.tracking.start(description)
    progress = TerminalProgress(description, int(history["iteration"].max() + 1) if len(history) else 0, console)
    try:
        for each in records(plan, history):
            tracker.observe(each)
            progress.observe(each)
        if finished:
            summary = read_summary(plan.folder)
            values = per_seed(plan.objective, summary.outcomes, summary.budget)
            tracker.conclude(summary.outcomes, plan.objective, values.tolist())
        status = 0 if finished else exit_status(plan.folder)
    finally:
        progress.close(status)
        tracker.close(status)


def records(plan: Plan, history: pandas.DataFrame) -> Iterator[Records]:
    """The records that a history was written from, one at a time."""
    names = [name for name in plan.metrics if name in history]
    measured = [name for name in plan.columns if name in history and name not in plan.metrics]
    for iteration, seeds, values in iterations(history, [*names, *measured]):
        metrics = {name: values[name] for name in names}
        measures = {name: _stacked(values[name]) for name in measured if not _is_missing(values[name])}
        yield Records.of(Record(iteration, tuple(seeds), metrics, measures))


def _is_missing(column: np.ndarray) -> bool:
    """Whether a column was not measured at this iteration: all its vectors are None, or all its numbers NaN."""
    return all(value is None for value in column) if column.dtype == object else bool(np.isnan(column).all())


def _stacked(column: np.ndarray) -> np.ndarray:
    return np.stack(column.tolist()) if column.dtype == object else column
