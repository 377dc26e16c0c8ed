"""Heartbeats: they continue after an error that passes, and a late one takes a trial from no other process."""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from badger_sweeps.search.leases import Lease, LeaseLost
from badger_sweeps.search.search import Search
from badger_sweeps.search.trial import Trial, sending_heartbeats
from badger_sweeps.search.trial_outcome import TrialStatus, status_of
from tests.search.claiming import DONE, claimed, opened
from tests.search.commands import ended, forked, wait_until


def lease_of(search: Search) -> Lease:
    """The first trial's."""
    lease = Lease.read(search.trials()[0].system_attrs)
    assert lease is not None
    return lease


def beating() -> bool:
    """Whether the thread that sends the first trial's heartbeats still runs."""
    return "trial 0" in {thread.name for thread in threading.enumerate()}


def between_reading_and_writing(search: Search, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `happens` in the middle of the search's next heartbeat, once."""
    read = search._held_lease

    def held(claim: Any) -> Lease:
        lease = read(claim)
        monkeypatch.setattr(search, "_held_lease", read)
        happens()
        return lease

    monkeypatch.setattr(search, "_held_lease", held)


def test_a_process_that_froze_in_the_middle_of_a_heartbeat_takes_nothing_back_when_it_wakes(
    address: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process, on what seems to be another machine, whose trial goes to another one meanwhile."""
    now = 0.0
    monkeypatch.setattr("badger_sweeps.search.leases.time.monotonic", lambda: now)

    def freeze() -> None:
        monkeypatch.setattr(platform, "node", lambda: "elsewhere")
        search = opened(tmp_path, address, n_trials=1)
        claim = claimed(search)
        between_reading_and_writing(search, lambda: os.kill(os.getpid(), signal.SIGSTOP), monkeypatch)
        search.beat(claim, "9/10")  # what it wrote is its own
        with pytest.raises(LeaseLost):
            search.beat(claim, "10/10")

    child = forked(freeze)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    near = opened(tmp_path, address, n_trials=1, patience=30.0)
    assert near.claim() is None
    now += 31
    taken = claimed(near)  # without waiting for the one that is stopped
    near.beat(taken, "1/10")
    os.kill(child, signal.SIGCONT)
    assert ended(child) == 0
    lease = lease_of(near)
    assert (lease.token, lease.beat, lease.progress, lease.deaths) == (taken.token, 1, "1/10", 1)
    assert lease.owner.pid == os.getpid()
    near.beat(taken, "2/10")
    near.tell(taken, DONE)
    assert status_of(near.trials()[0]) == TrialStatus.COMPLETED


def test_a_process_whose_trial_another_one_has_ended_meanwhile_has_lost_it(
    address: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = opened(tmp_path, address, n_trials=1), opened(tmp_path, address, n_trials=1)
    claim = claimed(mine)

    def take_over() -> None:
        theirs.requeue(claim, died=True)
        theirs.tell(claimed(theirs), DONE)

    between_reading_and_writing(mine, take_over, monkeypatch)
    with pytest.raises(LeaseLost):
        mine.beat(claim, "too late")


@pytest.mark.parametrize(
    "error",
    [OSError("full"), StorageInternalError("gone"), OperationalError("", {}, Exception()), ValueError("torn")],
    ids=lambda own: type(own).__name__,
)
def test_an_error_that_passes_does_not_end_the_heartbeats(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, other = opened(tmp_path), opened(tmp_path)
    trial, raised = Trial(search, claimed(search)), []
    read = search.storage.get_trial

    def raise_once(trial_id: int) -> Any:
        if lease_of(other).beat == 2 and not raised:
            raised.append(error)
            raise error
        return read(trial_id)

    monkeypatch.setattr(search.storage, "get_trial", raise_once)
    with sending_heartbeats(trial, lambda: False, lambda: None):
        wait_until(lambda: lease_of(other).beat >= 5 or not beating())
        assert beating()
    assert raised == [error]
    assert not trial.lease_lost.is_set()


def test_heartbeats_go_on_after_a_request_to_stop_while_the_trial_is_saved(tmp_path: Path) -> None:
    search, other, stops = opened(tmp_path), opened(tmp_path), []
    with sending_heartbeats(Trial(search, claimed(search)), lambda: True, lambda: stops.append(lease_of(other).beat)):
        wait_until(lambda: (stops and lease_of(other).beat >= stops[0] + 3) or not beating())
        assert beating()
    assert len(stops) == 1


def test_a_process_that_has_lost_the_lease_notices_and_sends_no_more_heartbeats(tmp_path: Path) -> None:
    search, other = opened(tmp_path), opened(tmp_path)
    trial = Trial(search, claimed(search))
    with sending_heartbeats(trial, lambda: False, lambda: None):
        other.requeue(trial.claim)
        taken = claimed(other)
        wait_until(trial.lease_lost.is_set)
        with pytest.raises(LeaseLost):
            trial.check_lease()
    assert (lease_of(other).token, lease_of(other).beat) == (taken.token, 0)
