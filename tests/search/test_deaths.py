"""Processes that die at any write: all trials come out as if they had not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from badger_sweeps.search.leases import LEASE_ATTRIBUTE, Lease
from badger_sweeps.search.trial_outcome import TrialStatus, status_of
from tests.search.claiming import DONE, NAME, SPACE, abandoned, by_number, claimed, finish, opened, undisturbed
from tests.search.commands import in_child


class Dying(JournalFileBackend):
    """A journal whose writer is killed at its `left`-th write from now, when a share of it is in the file."""

    left = 0
    share = 0.0

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        Dying.left -= 1
        if Dying.left >= 0:
            super().append_logs(logs)
            return
        with Path(self._file_path).open("rb+") as file:
            before = file.seek(0, os.SEEK_END)
            super().append_logs(logs)
            after = file.seek(0, os.SEEK_END)
            file.truncate(before + int(Dying.share * (after - before)))
        os.kill(os.getpid(), signal.SIGKILL)


def die_at(write: int, share: float, work: Callable[[], object]) -> int:
    """Do something in a process that is killed at one of its writes; gives its exit status."""

    def doomed() -> None:
        Dying.left, Dying.share = write, share
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("badger_sweeps.search.storage.JournalFileBackend", Dying)
            work()

    return in_child(doomed)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_process_may_be_killed_at_any_write_and_all_trials_come_out_as_if_it_had_not_been(
    share: float, tmp_path: Path
) -> None:
    first = [{"x": 0.25, "n": 7, "kind": "b"}]
    expected = undisturbed(tmp_path, first=first, n_trials=4)

    def life(folder: Path) -> None:
        """Everything that a worker writes: begin, claim, heartbeat, outcome, and the re-queueing of trials."""
        search = opened(folder, first=first, n_trials=4)
        for _ in range(2):
            claim = claimed(search)
            search.beat(claim, "1/2")
            search.tell(claim, DONE)
        search.requeue(claimed(search))
        search.requeue(claimed(search), died=True)
        search.tell(claimed(search), DONE)

    write, died = 0, -signal.SIGKILL
    while died:
        folder = tmp_path / str(write)
        died = die_at(write, share, partial(life, folder))
        assert died in (0, -signal.SIGKILL)
        search = opened(folder, first=first, n_trials=4)
        finish(search)
        trials = search.trials()
        assert by_number(trials) == expected, f"killed at write {write}"
        assert {status_of(trial) for trial in trials} == {TrialStatus.COMPLETED}
        assert search.finished
        write += 1
    assert write > 25  # a life is some thirty writes long, and it was killed at each


def test_whoever_is_killed_while_it_puts_back_a_dead_processs_trial_does_not_count_its_death_twice(
    tmp_path: Path,
) -> None:
    abandoned(lambda: opened(tmp_path, max_retries=1))
    opening = die_at(1000, 0.0, lambda: opened(tmp_path, max_retries=1))
    assert opening == 0
    write, died = 0, -signal.SIGKILL
    while died:  # each finds what the one before it left half done
        died = die_at(write, 0.0, lambda: opened(tmp_path, max_retries=1).recover())
        write += 1
    search = opened(tmp_path, max_retries=1)
    search.recover()
    assert [status_of(trial) for trial in search.trials()] == [TrialStatus.INTERRUPTED]
    search.tell(claimed(search), DONE)
    lease = Lease.read(search.trials()[0].system_attrs)
    assert lease is not None
    assert lease.deaths == 1


def test_a_claimer_that_died_between_making_a_trial_and_leasing_it_leaves_its_number_to_the_next(
    address: str | None, tmp_path: Path
) -> None:
    search = opened(tmp_path, address)
    search.tell(claimed(search), DONE)
    storage = search.storage
    storage.create_new_trial(storage.get_study_id_from_name(NAME))
    bare = search.trials()[1]
    assert bare.state == TrialState.RUNNING
    assert LEASE_ATTRIBUTE not in bare.system_attrs
    assert not bare.params
    claims = finish(opened(tmp_path, address))
    assert [claim.number for claim in claims] == list(range(1, 8))
    assert by_number(search.trials()) == undisturbed(tmp_path)


def test_a_claimer_that_died_between_two_parameters_leaves_the_one_it_had_drawn(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path)
    search = opened(tmp_path)
    storage = search.storage
    trial_id = storage.create_new_trial(storage.get_study_id_from_name(NAME))
    storage.set_trial_param(trial_id, "x", expected[0]["x"], SPACE.distributions["x"])
    claim = claimed(search)
    assert claim.number == 0
    assert dict(claim.params) == expected[0]
