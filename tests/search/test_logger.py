"""What a tracker is told of a search: each trial once, at a step of its own, whatever the clocks say."""

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

from badger_sweeps.search.logger import NAME, SearchLogger, logged_name
from badger_sweeps.search.snapshot import SearchSnapshot, TrialSnapshot
from badger_sweeps.search.trial_outcome import TrialStatus
from badger_sweeps.tracking.base import RunDescription, SearchDescription, SearchTracker, Tracker, Tracking

NOON = datetime(2026, 11, 30, 12)


def trial(number: int, minutes: float, value: float | None = None) -> TrialSnapshot:
    """One that was complete, or pruned where it has no value, so many minutes after noon by its machine's clock."""
    state, values = (TrialStatus.PRUNED, None) if value is None else (TrialStatus.COMPLETED, (value,))
    ended = NOON + timedelta(minutes=minutes)
    return TrialSnapshot(number, state, {}, values, (None, None), "", "", "", None, ended, {})


def view(*trials: TrialSnapshot, direction: str = "minimize") -> SearchSnapshot:
    return SearchSnapshot("mine", 20, (direction,), trials)


class Died(Exception):
    """What ends a process in the middle."""


class Heard(Tracking):
    """Keeps what it is told over all starts.

    Attributes:
        rows: step, trial's number and best value of each row.
        dies_at: the step at whose telling the process dies, once.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float | None]] = []
        self.dies_at: int | None = None

    def start(self, run: RunDescription) -> Tracker:
        raise NotImplementedError

    def start_search(self, search: SearchDescription) -> SearchTracker:
        return _Listener(self)


class _Listener(SearchTracker):
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        if step == self._heard.dies_at:
            self._heard.dies_at = None
            raise Died
        self._heard.rows.append((step, row["trial"], row.get("best")))

    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        pass


def tell(heard: Heard, folder: Path, *views: SearchSnapshot, search: str = "study") -> None:
    """One start of the command, which looks at the study so often."""
    logger = SearchLogger(heard, folder, "mine", search)
    try:
        for own in views:
            logger.log(own)
    finally:
        logger.close(0)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_trial_that_ended_earlier_by_its_clock_is_told_later_and_once(restarts: bool, tmp_path: Path) -> None:
    """Trial 2 comes from a machine whose clock is an hour behind, trial 3 from one that is an hour ahead."""
    heard, trials = Heard(), [trial(0, 0, 5.0), trial(1, 10, 4.0), trial(2, -40, 6.0), trial(3, 90, 3.0), trial(4, 30)]
    views = [view(*trials[:count]) for count in (2, 3, 3, 4, 5)]
    for starts in [[own] for own in views] if restarts else [views]:
        tell(heard, tmp_path, *starts)
    assert heard.rows == [(0, 0, 5.0), (1, 1, 4.0), (2, 2, 4.0), (3, 3, 3.0), (4, 4, 3.0)]


VALUES = st.none() | st.sampled_from([0.0, 1.0, 2.0, 3.0])


@given(
    st.lists(st.tuples(st.integers(-600, 600), VALUES, st.booleans(), st.booleans()), max_size=12),
    st.sampled_from(["minimize", "maximize"]),
)
@settings(max_examples=50, deadline=None)
def test_each_trial_has_one_step_and_the_best_of_those_told(
    drawn: list[tuple[int, float | None, bool, bool]], direction: str
) -> None:
    """Whatever the clocks, the looks (third) and the starts of the command (fourth) between the ends of trials."""
    heard, looks = Heard(), []
    trials = [trial(number, own[0], own[1]) for number, own in enumerate(drawn)]
    with TemporaryDirectory() as folder:
        for count, (_, _, looked, ended) in enumerate(drawn, start=1):
            looks += [view(*trials[:count], direction=direction)] if looked else []
            if ended:
                tell(heard, Path(folder), *looks)
                looks = []
        tell(heard, Path(folder), *looks, view(*trials, direction=direction))
    assert [step for step, _, _ in heard.rows] == list(range(len(trials)))
    assert sorted(number for _, number, _ in heard.rows) == list(range(len(trials)))
    found = [drawn[number][1] for _, number, _ in heard.rows]
    extreme = min if direction == "minimize" else max
    for step, (_, _, best) in enumerate(heard.rows):
        assert best == extreme((own for own in found[: step + 1] if own is not None), default=None)


def test_a_process_that_dies_while_it_tells_costs_no_trial_and_no_step(tmp_path: Path) -> None:
    """A trial ends before the next start, with an earlier time: those that were being told keep their steps."""
    heard, trials = Heard(), [trial(0, 0, 5.0), trial(1, 10, 4.0), trial(2, 20, 3.0)]
    heard.dies_at = 1
    with pytest.raises(Died):
        tell(heard, tmp_path, view(*trials))
    tell(heard, tmp_path, view(*trials, trial(3, -50, 2.0)))
    assert heard.rows[0] == (0, 0, 5.0)
    told = dict.fromkeys(heard.rows)  # the first row comes again, as it was
    assert list(told) == [(0, 0, 5.0), (1, 1, 4.0), (2, 2, 3.0), (3, 3, 2.0)]


def test_a_folder_that_an_earlier_version_told_from_goes_on_at_its_step(tmp_path: Path) -> None:
    """It had counted trials, in the order of the clocks."""
    (tmp_path / NAME).write_text(json.dumps({"name": "mine", "told": 2}))
    heard = Heard()
    tell(heard, tmp_path, view(trial(0, 20, 5.0), trial(1, 10, 4.0), trial(2, 0, 6.0), trial(3, 30)))
    assert heard.rows == [(2, 0, 4.0), (3, 3, 4.0)]
    tell(heard, tmp_path, view(trial(0, 20, 5.0), trial(1, 10, 4.0), trial(2, 0, 6.0), trial(3, 30), trial(4, -9)))
    assert heard.rows[2:] == [(4, 4, 4.0)]


def test_trials_of_another_study_in_the_folder_are_told_from_the_start(tmp_path: Path) -> None:
    heard = Heard()
    tell(heard, tmp_path, view(trial(0, 0, 5.0), trial(1, 10, 4.0)), search="first")
    tell(heard, tmp_path, view(trial(0, 0, 9.0)), search="second")
    assert heard.rows == [(0, 0, 5.0), (1, 1, 4.0), (0, 0, 9.0)]
    assert logged_name(tmp_path) == "mine"


def test_nothing_is_written_while_nothing_has_ended(tmp_path: Path) -> None:
    heard = Heard()
    tell(heard, tmp_path, view(), view())
    assert not (tmp_path / NAME).exists()
    assert heard.rows == []
