"""Leases: whether the process that claimed a trial still works on it."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from badger_sweeps.search.leases import LEASE_ATTRIBUTE, Lease, LeaseMonitor, Owner

FOLDER = Path("/study/3")


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    return replace(Owner.this_process(), pid=process.pid, started=psutil.Process(process.pid).create_time())


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def elsewhere(lease: Lease) -> Lease:
    return replace(lease, owner=replace(lease.owner, host="elsewhere"))


def test_the_process_that_asks_is_alive() -> None:
    assert Owner.this_process().alive is True
    assert Owner.this_process().pid == os.getpid()


def test_another_living_process_is_alive_and_a_killed_one_is_not(sleeper: subprocess.Popen[bytes]) -> None:
    owner = owner_of(sleeper)
    assert owner.alive is True
    sleeper.kill()
    sleeper.wait()
    assert owner.alive is False


def test_a_stopped_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    assert owner_of(sleeper).alive is True


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    owner = owner_of(sleeper)
    sleeper.kill()
    deadline = time.monotonic() + 60
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE:  # until it is waited for, its number is taken
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert owner.alive is False


def test_a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it(sleeper: subprocess.Popen[bytes]) -> None:
    owner = owner_of(sleeper)
    assert replace(owner, started=owner.started - 3600).alive is False
    assert replace(owner, started=owner.started + 3600).alive is False


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"space": "another boot"}])
def test_of_another_machine_or_boot_or_container_nothing_can_be_seen(change: dict[str, str]) -> None:
    assert replace(Owner.this_process(), **change).alive is None


def test_two_processes_here_share_host_and_space() -> None:
    ask = (
        "from badger_sweeps.search.leases import Owner; me = Owner.this_process(); print(me.host, me.space, sep='\\n')"
    )
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [Owner.this_process().host, Owner.this_process().space]
    assert Owner.this_process().host == platform.node()


def test_a_lease_is_stored_and_read_back() -> None:
    lease = Lease.new(2, FOLDER).after_heartbeat("3/100")
    assert Lease.read({LEASE_ATTRIBUTE: lease.stored(), **dict([lease.heartbeat_attribute])}) == lease
    assert (lease.beat, lease.progress, lease.deaths, lease.folder) == (1, "3/100", 2, str(FOLDER))
    assert Lease.read({}) is None


def test_heartbeats_of_one_lease_are_not_those_of_another() -> None:
    """Neither of the trial's next holder, nor of nobody."""
    lease, taken = Lease.new(0, FOLDER).after_heartbeat("3/100").after_heartbeat("4/100"), Lease.new(1, FOLDER)
    for other in (taken, lease.released(died=True)):
        assert Lease.read({LEASE_ATTRIBUTE: other.stored(), **dict([lease.heartbeat_attribute])}) == replace(
            other, beat=0, progress=""
        )


def test_every_lease_has_a_token_of_its_own() -> None:
    assert len({Lease.new(0, FOLDER).token for _ in range(100)}) == 100


def test_a_released_lease_counts_the_death_of_its_process_and_no_other_end() -> None:
    lease = Lease.new(1, FOLDER)
    assert lease.released(died=True).deaths == 2
    assert lease.released(died=False).deaths == 1
    assert lease.released(died=False).token is None


class Clock:
    """Time as the test wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("badger_sweeps.search.leases.time.monotonic", lambda: self.now)


def test_nobody_works_on_a_trial_without_a_lease_or_with_a_released_one() -> None:
    monitor = LeaseMonitor(patience=60.0)
    assert monitor.expired(None)
    assert monitor.expired(Lease.new(0, FOLDER).released(died=False))


def test_a_process_here_is_looked_up_whatever_its_beats(
    monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    clock, monitor = Clock(monkeypatch), LeaseMonitor(patience=60.0)
    lease = replace(Lease.new(0, FOLDER), owner=owner_of(sleeper))
    for _ in range(3):
        assert not monitor.expired(lease)
        clock.now += 1000
    sleeper.kill()
    sleeper.wait()
    assert monitor.expired(lease.after_heartbeat("9/100"))


def test_a_process_elsewhere_is_dead_once_no_beat_came_for_as_long_as_one_is_patient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, monitor = Clock(monkeypatch), LeaseMonitor(patience=60.0)
    lease = elsewhere(Lease.new(0, FOLDER))
    assert not monitor.expired(lease)  # the first check: nothing is known of the time before
    clock.now += 59
    assert not monitor.expired(lease)
    lease = lease.after_heartbeat("1/100")
    clock.now += 59
    assert not monitor.expired(lease)
    clock.now += 59
    assert not monitor.expired(lease)
    clock.now += 2
    assert monitor.expired(lease)
    assert not monitor.expired(lease.after_heartbeat("2/100"))  # it was only slow


def test_checks_that_are_far_apart_do_not_make_a_process_dead_that_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, monitor = Clock(monkeypatch), LeaseMonitor(patience=60.0)
    lease = elsewhere(Lease.new(0, FOLDER))
    for _ in range(5):
        assert not monitor.expired(lease)
        clock.now += 10_000
        lease = lease.after_heartbeat("")


def test_each_lease_has_its_own_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, monitor = Clock(monkeypatch), LeaseMonitor(patience=60.0)
    first = elsewhere(Lease.new(0, FOLDER))
    assert not monitor.expired(first)
    clock.now += 50
    again = elsewhere(Lease.new(1, FOLDER))  # the trial's next holder has a whole span of patience
    assert not monitor.expired(again)
    clock.now += 20
    assert monitor.expired(first)
    assert not monitor.expired(again)
