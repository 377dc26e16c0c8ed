"""The search logger: logs each trial of a search to a tracker once, when it ends, over all starts of the command."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from badger_sweeps.core.files import read_json, write_json
from badger_sweeps.runs.lock import InUse
from badger_sweeps.search.state import SearchState, TrialRecord
from badger_sweeps.tracking.base import SearchDescription, SearchTracker, Tracking

SEARCH_FILE = "search.json"
"""The file with the search's name and id, and the trials that were logged from this folder, in order."""


class SearchLogger:
    """Logs the trials that have ended. Of several processes that share one folder, only the first one logs.

    A trial is logged at the step at which it was first seen to have ended, and that step never changes. The order of
    their ends would not do as steps: it comes from the clocks of several machines, and may change whenever another
    trial ends. The logger writes the steps to its file before it logs them. If the process dies in between, no trial is
    left out, and a trial that is logged a second time has the same step.

    Args:
        tracking: starts the tracker.
        folder: the search's folder.
        name: the search's name.
        search_id: tells this search from all others (`Search.search_id`).
    """

    def __init__(self, tracking: Tracking, folder: Path, name: str, search_id: str) -> None:
        self._path, self._name = folder / SEARCH_FILE, name
        self._state: SearchState | None = None
        self._lock = _lock(folder)
        self._tracker: SearchTracker | None = None
        self._search_id, self._logged = search_id, 0
        self._steps: list[int] | None = []
        try:
            self._lock.acquire()
        except Timeout:
            return
        stored = read_json(self._path) if self._path.exists() else {}
        if stored.get("study", search_id) == search_id:  # else the file has the trials of another search
            self._logged = int(stored.get("logged", stored.get("told", 0)))  # "told": in files of earlier versions
            self._steps = stored.get("trials", None if stored else [])
        # Two machines that work on one search from different folders log it as two runs.
        folder_id = hashlib.sha256(f"{platform.node()} {folder}".encode()).hexdigest()[:8]
        self._tracker = tracking.start_search(SearchDescription(folder, f"{search_id}-{folder_id}", name))

    def log(self, state: SearchState) -> None:
        """Log the trials that have ended since the last call."""
        self._state = state
        if self._tracker is None:
            return
        ended = {trial.number: trial for trial in state.ended}
        if self._steps is None:  # an earlier version's file, without trials: it logged them in order of their ends
            self._steps = list(ended)[: self._logged]
        known = set(self._steps)
        self._steps += [number for number in ended if number not in known]
        if self._logged == len(self._steps):
            return
        self._write()
        best = _best_so_far(state, [ended[number] for number in self._steps])
        for step in range(self._logged, len(self._steps)):
            self._tracker.observe(step, _row(ended[self._steps[step]], best[step]))
        self._logged = len(self._steps)
        self._write()

    def close(self, exit_status: int) -> None:
        """Close the tracker with a summary of the last state."""
        if self._tracker is not None:
            self._tracker.close(exit_status, _summary(self._state) if self._state is not None else {})
        self._lock.release()

    def _write(self) -> None:
        """Write the step of each trial, and how many of the steps were certainly logged."""
        content = {"name": self._name, "study": self._search_id, "logged": self._logged, "trials": self._steps}
        write_json(self._path, content)


@contextmanager
def exclusive_logging(folder: Path) -> Iterator[None]:
    """Within this context no other process logs the search in `folder`.

    Raises:
        InUse: another process logs it.
    """
    try:
        with _lock(folder):
            yield
    except Timeout:
        raise InUse(f"`{folder}` must be free; found another process that logs its search.") from None


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / f".{SEARCH_FILE}.lock", blocking=False)


def logged_name(folder: Path) -> str:
    """The name under which the search in `folder` was logged."""
    return str(read_json(folder / SEARCH_FILE).get("name", folder.resolve().name))


def _best_so_far(state: SearchState, trials: Sequence[TrialRecord]) -> list[float | None]:
    """For each trial the best value up to it; None before there is one, or with several objectives."""
    sign = -1 if state.directions[0] == "maximize" else 1
    best: float | None = None
    best_so_far = []
    for trial in trials:
        if trial.values is not None and len(state.directions) == 1:
            value = trial.values[0]
            best = value if best is None or sign * value < sign * best else best
        best_so_far.append(best)
    return best_so_far


def _row(trial: TrialRecord, best: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": trial.number, "state": str(trial.status), "seconds": trial.seconds, "best": best}
    values = trial.values or ()
    row |= {"objective" if len(values) == 1 else f"objective/{k}": value for k, value in enumerate(values)}
    low, high = trial.interval
    row |= {"objective_low": low, "objective_high": high}
    row |= {name: trial.details.get(name) for name in ("escaped", "diverged", "seeds", "iterations")}
    row |= {f"params/{name}": value for name, value in trial.params.items()}
    return {name: value for name, value in row.items() if value is not None}


def _summary(state: SearchState) -> Mapping[str, Any]:
    summary: dict[str, Any] = {f"trials_{status}": count for status, count in state.counts.items()}
    if state.best is not None and state.best.values is not None:
        summary |= {"best_trial": state.best.number, "best_objective": state.best.values[0]}
        summary |= {f"best_params/{name}": value for name, value in state.best.params.items()}
    return summary
