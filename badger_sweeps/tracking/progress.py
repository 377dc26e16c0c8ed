"""Progress in the terminal: a live bar, or plain lines if the output is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.tracking.base import RunDescription, Tracker
from badger_sweeps.training.loop import Records

SECONDS_PER_LINE = 10.0


class TerminalProgress(Tracker):
    """Shows the completed iterations, the rate, the remaining time, and how many members are on each staircase level.

    Args:
        run: the run that is shown.
        iterations: the run's total number of iterations.
        console: the console to print to; `Console.is_terminal` chooses between bar and lines.
    """

    def __init__(self, run: RunDescription, iterations: int, console: Console) -> None:
        self._console = console
        self._name, self._first, self._iterations = run.name, run.first_iteration, iterations
        self._started = self._printed = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(max_width=32, no_wrap=True)),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[levels]}", markup=False),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._bar.start()
        self._task = self._bar.add_task(run.name, total=iterations, completed=run.first_iteration, rate="", levels="")

    def observe(self, records: Records) -> None:
        now, done = time.monotonic(), records.iterations.stop
        rate = (done - self._first) / max(now - self._started, 1e-9)
        levels = level_counts(records.metrics["plateau/rung"][-1])
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, rate=f"{rate:.1f} it/s", levels=levels)
        elif now - self._printed >= SECONDS_PER_LINE or done == self._iterations:
            left = (self._iterations - done) / rate
            line = f"{self._name}: iteration {done}/{self._iterations} | {rate:.1f} it/s | {left:.0f} s left | {levels}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._printed = now

    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        pass

    def close(self, exit_status: int) -> None:
        self._bar.stop()


def level_counts(levels: np.ndarray) -> str:
    """The number of seeds on each level, highest first: ``loss level 1.00: 3 seeds, 0.75: 5``; empty if all are NaN."""
    known, counts = np.unique(levels[~np.isnan(levels)], return_counts=True)
    if not len(known):
        return ""
    first, *others = (f"{level:.2f}: {count}" for level, count in zip(known[::-1], counts[::-1], strict=True))
    return ", ".join([f"loss level {first} seed{'s' if counts[-1] > 1 else ''}", *others])
