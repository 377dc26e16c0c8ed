"""The search logger logs each trial once, at a step of its own, whatever the clocks say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_sweeps.search.logger import SEARCH_FILE, SearchLogger, logged_name
from badger_sweeps.search.state import SearchState, TrialRecord
from badger_sweeps.search.trial_outcome import TrialStatus
from badger_sweeps.tracking.base import RunDescription, SearchDescription, SearchTracker, Tracker, Tracking

NOON = datetime(2026, 11, 30, 12)


def trial(number: int, minutes: float, value: float | None = None) -> TrialRecord:
    """One that was complete, or pruned where it has no value, so many minutes after noon by its machine's clock."""
    state, values = (TrialStatus.PRUNED, None) if value is None else (TrialStatus.COMPLETED, (value,))
    ended = NOON + timedelta(minutes=minutes)
    return TrialRecord(number, state, {}, values, (None, None), "", "", "", None, ended, {})


def state_of(*trials: TrialRecord, direction: str = "minimize") -> SearchState:
    return SearchState("mine", 20, (direction,), trials)


class Died(Exception):
    """What ends a process in the middle."""


class RecordingTracking(Tracking):
    """Keeps the rows that are logged, over all starts.

    Attributes:
        rows: step, trial's number and best value of each row.
        dies_at: the step at whose logging the process dies, once.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float | None]] = []
        self.dies_at: int | None = None

    def start(self, run: RunDescription) -> Tracker:
        raise NotImplementedError

    def start_search(self, search: SearchDescription) -> SearchTracker:
        return _RecordingTracker(self)


class _RecordingTracker(SearchTracker):
    def __init__(self, recorded: RecordingTracking) -> None:
        self._recorded = recorded

    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        if step == self._recorded.dies_at:
            self._recorded.dies_at = None
            raise Died
        self._recorded.rows.append((step, row["trial"], row.get("best")))

    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        pass


def log(recorded: RecordingTracking, folder: Path, *states: SearchState, search: str = "study") -> None:
    """One start of the command, which sees the search in these states."""
    logger = SearchLogger(recorded, folder, "mine", search)
    try:
        for state in states:
            logger.log(state)
    finally:
        logger.close(0)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_trial_that_ended_earlier_by_its_clock_is_logged_later_and_once(restarts: bool, tmp_path: Path) -> None:
    """Trial 2 comes from a machine whose clock is an hour behind, trial 3 from one that is an hour ahead."""
    recorded, trials = (
        RecordingTracking(),
        [trial(0, 0, 5.0), trial(1, 10, 4.0), trial(2, -40, 6.0), trial(3, 90, 3.0), trial(4, 30)],
    )
    states = [state_of(*trials[:count]) for count in (2, 3, 3, 4, 5)]
    for starts in [[state] for state in states] if restarts else [states]:
        log(recorded, tmp_path, *starts)
    assert recorded.rows == [(0, 0, 5.0), (1, 1, 4.0), (2, 2, 4.0), (3, 3, 3.0), (4, 4, 3.0)]


VALUES = st.none() | st.sampled_from([0.0, 1.0, 2.0, 3.0])


@given(
    st.lists(st.tuples(st.integers(-600, 600), VALUES, st.booleans(), st.booleans()), max_size=12),
    st.sampled_from(["minimize", "maximize"]),
)
@settings(max_examples=50, deadline=None)
def test_each_trial_has_one_step_and_the_best_of_those_logged(
    drawn: list[tuple[int, float | None, bool, bool]], direction: str
) -> None:
    """Whatever the clocks, the states (third) and the starts of the command (fourth) between the ends of trials."""
    recorded, states = RecordingTracking(), []
    trials = [trial(number, own[0], own[1]) for number, own in enumerate(drawn)]
    with TemporaryDirectory() as folder:
        for count, (_, _, looked, ended) in enumerate(drawn, start=1):
            states += [state_of(*trials[:count], direction=direction)] if looked else []
            if ended:
                log(recorded, Path(folder), *states)
                states = []
        log(recorded, Path(folder), *states, state_of(*trials, direction=direction))
    assert [step for step, _, _ in recorded.rows] == list(range(len(trials)))
    assert sorted(number for _, number, _ in recorded.rows) == list(range(len(trials)))
    found = [drawn[number][1] for _, number, _ in recorded.rows]
    extreme = min if direction == "minimize" else max
    for step, (_, _, best) in enumerate(recorded.rows):
        assert best == extreme((own for own in found[: step + 1] if own is not None), default=None)


def test_a_process_that_dies_while_it_logs_costs_no_trial_and_no_step(tmp_path: Path) -> None:
    """A trial ends before the next start, with an earlier time: those that were being logged keep their steps."""
    recorded, trials = RecordingTracking(), [trial(0, 0, 5.0), trial(1, 10, 4.0), trial(2, 20, 3.0)]
    recorded.dies_at = 1
    with pytest.raises(Died):
        log(recorded, tmp_path, state_of(*trials))
    log(recorded, tmp_path, state_of(*trials, trial(3, -50, 2.0)))
    assert recorded.rows[0] == (0, 0, 5.0)
    rows = dict.fromkeys(recorded.rows)  # the first row comes again, as it was
    assert list(rows) == [(0, 0, 5.0), (1, 1, 4.0), (2, 2, 3.0), (3, 3, 2.0)]


def test_a_folder_that_an_earlier_version_logged_from_continues_at_its_step(tmp_path: Path) -> None:
    """It counted trials, in the order of the clocks."""
    (tmp_path / SEARCH_FILE).write_text(json.dumps({"name": "mine", "told": 2}))
    recorded = RecordingTracking()
    log(recorded, tmp_path, state_of(trial(0, 20, 5.0), trial(1, 10, 4.0), trial(2, 0, 6.0), trial(3, 30)))
    assert recorded.rows == [(2, 0, 4.0), (3, 3, 4.0)]
    log(
        recorded, tmp_path, state_of(trial(0, 20, 5.0), trial(1, 10, 4.0), trial(2, 0, 6.0), trial(3, 30), trial(4, -9))
    )
    assert recorded.rows[2:] == [(4, 4, 4.0)]


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It counted the logged steps under another key."""
    stored = {"name": "mine", "study": "study", "told": 2, "trials": [1, 0, 2]}
    (tmp_path / SEARCH_FILE).write_text(json.dumps(stored))
    recorded = RecordingTracking()
    log(recorded, tmp_path, state_of(trial(0, 0, 5.0), trial(1, 10, 4.0), trial(2, 20, 3.0)))
    assert recorded.rows == [(2, 2, 3.0)]


def test_trials_of_another_search_in_the_folder_are_logged_from_the_start(tmp_path: Path) -> None:
    recorded = RecordingTracking()
    log(recorded, tmp_path, state_of(trial(0, 0, 5.0), trial(1, 10, 4.0)), search="first")
    log(recorded, tmp_path, state_of(trial(0, 0, 9.0)), search="second")
    assert recorded.rows == [(0, 0, 5.0), (1, 1, 4.0), (0, 0, 9.0)]
    assert logged_name(tmp_path) == "mine"


def test_nothing_is_written_while_nothing_has_ended(tmp_path: Path) -> None:
    recorded = RecordingTracking()
    log(recorded, tmp_path, state_of(), state_of())
    assert not (tmp_path / SEARCH_FILE).exists()
    assert recorded.rows == []
