"""Telling a tracker of a search: each trial once, as it ends, over all starts of the command."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from badger_sweeps.core.files import write_json
from badger_sweeps.runs.lock import InUse
from badger_sweeps.search.snapshot import StudyView, TrialView
from badger_sweeps.tracking.base import SearchDescription, SearchTracker, Tracking

NAME = "search.json"
"""The search's name and identity, and which trials the tracker was told of from this folder, in which order."""


class Teller:
    """Tells a tracker of the trials that ended. Of several processes on one folder, the first one tells.

    A trial has the step at which it was first seen to have ended, once and for all. The order in which trials ended
    would not do: it is that of the clocks of several machines, and may change whenever another one has ended. Steps are
    written down before the tracker is told of them, so that a process that dies in between costs no trial, and what is
    told a second time is told at the same step.

    Args:
        tracking: starts the tracker.
        folder: the study's.
        name: the study's.
        study_id: tells this study from all others.
    """

    def __init__(self, tracking: Tracking, folder: Path, name: str, study_id: str) -> None:
        self._path, self._name = folder / NAME, name
        self._view: StudyView | None = None
        self._lock = _lock(folder)
        self._tracker: SearchTracker | None = None
        self._study_id, self._told = study_id, 0
        self._steps: list[int] | None = []
        try:
            self._lock.acquire()
        except Timeout:
            return
        kept = json.loads(self._path.read_text()) if self._path.exists() else {}
        if kept.get("study", study_id) == study_id:  # numbers of another study's trials mean nothing here
            self._told, self._steps = int(kept.get("told", 0)), kept.get("trials", None if kept else [])
        # Two machines that work on one study from folders of their own tell of it in two runs.
        place = hashlib.sha256(f"{platform.node()} {folder}".encode()).hexdigest()[:8]
        self._tracker = tracking.start_search(SearchDescription(folder, f"{study_id}-{place}", name))

    def show(self, view: StudyView) -> None:
        """Tell of what has ended since."""
        self._view = view
        if self._tracker is None:
            return
        ended = {trial.number: trial for trial in view.ended}
        if self._steps is None:  # a file of before trials were noted: they were told in the order of the clocks
            self._steps = list(ended)[: self._told]
        known = set(self._steps)
        self._steps += [number for number in ended if number not in known]
        if self._told == len(self._steps):
            return
        self._write()
        best = _best_so_far(view, [ended[number] for number in self._steps])
        for step in range(self._told, len(self._steps)):
            self._tracker.observe(step, _row(ended[self._steps[step]], best[step]))
        self._told = len(self._steps)
        self._write()

    def close(self, exit_status: int) -> None:
        """No more is told."""
        if self._tracker is not None:
            self._tracker.close(exit_status, _summary(self._view) if self._view is not None else {})
        self._lock.release()

    def _write(self) -> None:
        """Keep each trial's step, and how many of them the tracker was told of for certain."""
        kept = {"name": self._name, "study": self._study_id, "told": self._told, "trials": self._steps}
        write_json(self._path, kept)


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Be the one that tells of the search in `folder`.

    Raises:
        InUse: another process is.
    """
    try:
        with _lock(folder):
            yield
    except Timeout:
        raise InUse(f"`{folder}` must be free; found another process that tells of its search.") from None


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / f".{NAME}.lock", blocking=False)


def told_name(folder: Path) -> str:
    """The name of the search in `folder`, as its tracker was told."""
    return str(json.loads((folder / NAME).read_text()).get("name", folder.resolve().name))


def _best_so_far(view: StudyView, trials: Sequence[TrialView]) -> list[float | None]:
    """The best value of each trial and those told before it; None before there is one, or with several objectives."""
    sign = -1 if view.directions[0] == "maximize" else 1
    best: float | None = None
    course = []
    for trial in trials:
        if trial.values is not None and len(view.directions) == 1:
            value = trial.values[0]
            best = value if best is None or sign * value < sign * best else best
        course.append(best)
    return course


def _row(trial: TrialView, best: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": trial.number, "state": str(trial.state), "seconds": trial.seconds, "best": best}
    values = trial.values or ()
    row |= {"objective" if len(values) == 1 else f"objective/{k}": value for k, value in enumerate(values)}
    low, high = trial.interval
    row |= {"objective_low": low, "objective_high": high}
    row |= {name: trial.details.get(name) for name in ("escaped", "diverged", "seeds", "iterations")}
    row |= {f"params/{name}": value for name, value in trial.params.items()}
    return {name: value for name, value in row.items() if value is not None}


def _summary(view: StudyView) -> Mapping[str, Any]:
    summary: dict[str, Any] = {f"trials_{state}": count for state, count in view.counts.items()}
    if view.best is not None and view.best.values is not None:
        summary |= {"best_trial": view.best.number, "best_objective": view.best.values[0]}
        summary |= {f"best_params/{name}": value for name, value in view.best.params.items()}
    return summary
