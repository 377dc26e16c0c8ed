"""The terminal of a sweep: a live table, or plain lines where the output is not a terminal."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from badger_sweeps.measures.estimates import Estimate
from badger_sweeps.search.snapshot import StudyView, TrialView
from badger_sweeps.search.trial_outcome import State

SECONDS_PER_LINE = 30.0
LATEST = 8
"""Ended trials that the live table shows beside the best and those that run."""


class SweepTable:
    """Tells of a sweep's trials as they begin and end.

    Args:
        console: where to; it knows whether it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._told: set[int] | None = None
        self._spoke = time.monotonic()
        self._rate = _Rate()

    def show(self, view: StudyView) -> None:
        """Bring the table up to date."""
        left = self._rate.left(view)
        if self._live is not None:
            if not self._live.is_started:
                self._live.start()
            self._live.update(_picture(view, left), refresh=True)
            return
        if self._told is None:  # what had ended before this start
            self._told = {trial.number for trial in view.ended}
        for trial in view.ended:
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._say(f"{view.name}: trial {trial.number} {_how(trial)} | {summary(view, left)}")
        if time.monotonic() - self._spoke > SECONDS_PER_LINE:
            running = ", ".join(f"{trial.number} at {trial.progress or 'start'}" for trial in _running(view))
            self._say(f"{view.name}: {summary(view, left)}" + (f" | trials {running}" if running else ""))

    def close(self, view: StudyView | None) -> None:
        """Leave the last picture standing."""
        if view is not None:
            self.show(view)
        if self._live is not None:
            self._live.stop()

    def _say(self, words: str) -> None:
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)
        self._spoke = time.monotonic()


def summary(view: StudyView, left: float | None = None) -> str:
    """``12/40 done: 9 completed, 3 pruned | 2 running | best 431 [380, 490] trial 7 | 35 min left``."""
    counts = view.counts
    ended = [f"{counts[state]} {state}" for state in (State.COMPLETED, State.PRUNED, State.FAILED, State.DIVERGED)]
    shown = ", ".join(words for words in ended if not words.startswith("0 "))
    parts = [f"{len(view.ended)}/{max(view.total, len(view.trials))} done" + (f": {shown}" if shown else "")]
    open_ones = (State.RUNNING, State.INTERRUPTED)
    parts += [f"{counts[state]} {state}" for state in open_ones if counts[state]]
    if view.best is not None and view.best.estimate is not None:
        parts.append(f"best {number(view.best.estimate)}, trial {view.best.number}")
    if left is not None:
        parts.append(f"{_duration(left)} left")
    return " | ".join(parts)


def number(estimate: Estimate) -> str:
    """``431 [380, 490]``, or the value alone where there is no interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4g}"
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"


def _how(trial: TrialView) -> str:
    if trial.values is not None and trial.estimate is not None:
        value = number(trial.estimate) if len(trial.values) == 1 else ", ".join(f"{own:.4g}" for own in trial.values)
        return f"{trial.state}: {value}"
    return f"{trial.state}: {trial.reason}" if trial.reason else str(trial.state)


def _picture(view: StudyView, left: float | None) -> Group:
    head = Text(f"{view.name}  ", style="bold").append(summary(view, left), style="not bold")
    bar = ProgressBar(total=max(view.total, len(view.trials), 1), completed=len(view.ended))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column, justify in (("trial", "right"), ("", "left"), ("parameters", "left")):
        table.add_column(column, justify=justify, no_wrap=column != "parameters", overflow="ellipsis")  # type: ignore[arg-type]
    best = [view.best] if view.best is not None else []
    latest = [trial for trial in view.ended[-LATEST:] if trial not in best]
    for trial, style in [
        *((own, "bold green") for own in best),
        *((own, "") for own in latest),
        *((own, "cyan") for own in _running(view)),
    ]:
        words = f"running {trial.progress} on {trial.owner}" if trial.state == State.RUNNING else _how(trial)
        params = " ".join(f"{name}={_brief(value)}" for name, value in trial.params.items())
        table.add_row(str(trial.number), Text(("best, " if trial in best else "") + words), Text(params), style=style)
    return Group(head, bar, table)


def _running(view: StudyView) -> list[TrialView]:
    return [trial for trial in view.trials if trial.state == State.RUNNING]


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class _Rate:
    """How long the rest will take: at the pace of trials that ended under these eyes."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._before: int | None = None

    def left(self, view: StudyView) -> float | None:
        """Seconds; None before one has ended, or when all have."""
        done = len(view.ended)
        if self._before is None:
            self._before = done
        here, rest = done - self._before, max(view.total, len(view.trials)) - done
        if not here or not rest:
            return None
        return (time.monotonic() - self._since) / here * rest


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def where(folder: Path) -> str:
    """A folder as one would type it."""
    return os.path.relpath(folder)
