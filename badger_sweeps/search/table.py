"""The terminal output of a search: a live table, or plain lines where the output is not a terminal."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from badger_sweeps.search.state import SearchState, TrialRecord
from badger_sweeps.search.trial_outcome import TrialStatus
from badger_sweeps.tracking.tables import table

SECONDS_PER_LINE = 30.0
LATEST = 8
"""The number of ended trials that the live table shows beside the best one and those that run."""


class SearchTable:
    """Shows the trials of a search as they begin and end.

    Args:
        console: the output, which knows whether it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._printed: set[int] | None = None
        self._last_line = time.monotonic()
        self._remaining_time = _RemainingTime()

    def show(self, state: SearchState) -> None:
        """Update the table, or print lines about the trials that have ended since."""
        seconds_left = self._remaining_time.estimate(state)
        if self._live is not None:
            if not self._live.is_started:
                self._live.start()
            self._live.update(_live_view(state, seconds_left, self._console.width), refresh=True)
            return
        if self._printed is None:  # no lines about trials that had ended before this start
            self._printed = {trial.number for trial in state.ended}
        for trial in state.ended:
            if trial.number not in self._printed:
                self._printed.add(trial.number)
                line = f"{state.name}: trial {trial.number} {_result(trial)}"
                self._print(f"{line} | {summary(state, seconds_left)}")
        if time.monotonic() - self._last_line > SECONDS_PER_LINE:
            running = ", ".join(f"{trial.number} at {trial.progress or 'start'}" for trial in _running(state))
            line = f"{state.name}: {summary(state, seconds_left)}"
            self._print(line + (f" | trials {running}" if running else ""))

    def close(self) -> None:
        """Leave the last table on the terminal."""
        if self._live is not None:
            self._live.stop()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._last_line = time.monotonic()


def summary(state: SearchState, seconds_left: float | None = None) -> str:
    """``12/40 done: 9 completed, 3 pruned | 2 running | best 431 [380, 490], trial 7 | 35 min left``."""
    counts = state.counts
    ended = (TrialStatus.COMPLETED, TrialStatus.PRUNED, TrialStatus.FAILED, TrialStatus.DIVERGED)
    counted = ", ".join(f"{counts[status]} {status}" for status in ended if counts[status])
    total = max(state.total, len(state.trials))
    parts = [f"{len(state.ended)}/{total} done" + (f": {counted}" if counted else "")]
    unfinished = (TrialStatus.RUNNING, TrialStatus.INTERRUPTED)
    parts += [f"{counts[status]} {status}" for status in unfinished if counts[status]]
    if state.best is not None and state.best.estimate is not None:
        parts.append(f"best {state.best.estimate:.4g}, trial {state.best.number}")
    if seconds_left is not None:
        parts.append(f"{_format_duration(seconds_left)} left")
    return " | ".join(parts)


def format_parameter(value: object) -> str:
    """The value of a parameter; real numbers with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def relative_path(folder: Path) -> str:
    """A folder relative to the working directory, as a user would type it."""
    return os.path.relpath(folder)


def _result(trial: TrialRecord) -> str:
    if trial.values is not None and trial.estimate is not None:
        several = ", ".join(f"{value:.4g}" for value in trial.values)
        return f"{trial.status}: {f'{trial.estimate:.4g}' if len(trial.values) == 1 else several}"
    return f"{trial.status}: {trial.reason}" if trial.reason else str(trial.status)


def _live_view(state: SearchState, seconds_left: float | None, width: int) -> Group:
    head = Text(f"{state.name}  ", style="bold").append(summary(state, seconds_left), style="not bold")
    bar = ProgressBar(total=max(state.total, len(state.trials), 1), completed=len(state.ended))
    best = [state.best] if state.best is not None else []
    latest = [trial for trial in state.ended[-LATEST:] if trial not in best]
    rows, styles = [], []
    for trials, style in ((best, "bold green"), (latest, ""), (_running(state), "cyan")):
        for trial in trials:
            running = trial.status == TrialStatus.RUNNING
            result = f"running {trial.progress} on {trial.owner}" if running else _result(trial)
            params = " ".join(f"{name}={format_parameter(value)}" for name, value in trial.params.items())
            rows.append([str(trial.number), ("best, " if trial in best else "") + result, params])
            styles.append(style)
    end_of_bar = Text("")
    return Group(head, bar, end_of_bar, table(width, ["trial", "", "parameters"], rows, left=(1, 2), styles=styles))


def _running(state: SearchState) -> list[TrialRecord]:
    return [trial for trial in state.trials if trial.status == TrialStatus.RUNNING]


class _RemainingTime:
    """Estimates the time until a search is done, from the number of trials that have ended since the first call."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._ended_before: int | None = None

    def estimate(self, state: SearchState) -> float | None:
        """Seconds; None before a trial has ended, or when all have."""
        ended = len(state.ended)
        if self._ended_before is None:
            self._ended_before = ended
        ended_since, left = ended - self._ended_before, max(state.total, len(state.trials)) - ended
        if not ended_since or not left:
            return None
        return (time.monotonic() - self._since) / ended_since * left


def _format_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
