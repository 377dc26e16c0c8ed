"""Telling a tracker afterwards what a run has left behind, as it would have been told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from badger_sweeps.measures.objectives import per_seed
from badger_sweeps.runs.history import iterations, read_history
from badger_sweeps.runs.provenance import exit_status
from badger_sweeps.runs.run import Plan, describe
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.runs.summary import read_summary
from badger_sweeps.tracking.progress import TerminalProgress
from badger_sweeps.training.loop import Record

if TYPE_CHECKING:
    import pandas


def deliver(plan: Plan, console: Console) -> None:
    """Tell `plan.tracking` of all records in the run's folder, and of how it ended; the console shows how far it is.

    Trackers leave out what they were told before.
    """
    description = describe(plan, 0)
    history = read_history(plan.folder)
    finished = (plan.folder / SUMMARY).exists()
    status = 1
    tracker = plan.tracking.start(description)
    progress = TerminalProgress(description, int(history["iteration"].max() + 1) if len(history) else 0, console)
    try:
        for record in records(plan, history):
            tracker.observe(record)
            progress.observe(record)
        if finished:
            summary = read_summary(plan.folder)
            values = per_seed(plan.objective, summary.outcomes, summary.budget)
            tracker.conclude(summary.outcomes, plan.objective, values.tolist())
        status = 0 if finished else exit_status(plan.folder)
    finally:
        progress.close(status)
        tracker.close(status)


def records(plan: Plan, history: pandas.DataFrame) -> Iterator[Record]:
    """The records from which a history was made."""
    names = [name for name in plan.metrics if name in history]
    measured = [name for name in plan.columns if name in history and name not in plan.metrics]
    for iteration, seeds, values in iterations(history, [*names, *measured]):
        metrics = {name: values[name] for name in names}
        measures = {name: _whole(values[name]) for name in measured if not _missing(values[name])}
        yield Record(iteration, tuple(seeds), metrics, measures)


def _missing(column: np.ndarray) -> bool:
    """Whether nothing was measured then: vectors are None, numbers NaN."""
    return all(value is None for value in column) if column.dtype == object else bool(np.isnan(column).all())


def _whole(column: np.ndarray) -> np.ndarray:
    return np.stack(column.tolist()) if column.dtype == object else column
