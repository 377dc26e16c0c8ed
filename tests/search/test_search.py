"""A search that many processes share: no trial is lost, whatever happens to the process that claimed it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.core.errors import UsageError
from badger_sweeps.search import storage
from badger_sweeps.search.leases import LEASE_ATTRIBUTE, Claim, Lease, LeaseLost
from badger_sweeps.search.requeueing import requeue_trial
from badger_sweeps.search.results import write_results
from badger_sweeps.search.sampling import point_key
from badger_sweeps.search.search import Search
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Space
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus, status_of
from tests.search.claiming import (
    DEFINITION,
    DONE,
    NAME,
    SPACE,
    abandoned,
    by_number,
    claimed,
    finish,
    opened,
    random_sampler,
    tpe,
    undisturbed,
)
from tests.search.commands import at_once, ended, forked


def test_a_dead_workers_trial_goes_back_with_its_number_and_parameters(address: str | None, tmp_path: Path) -> None:
    abandoned(lambda: opened(tmp_path, address))
    search = opened(tmp_path, address)
    before = search.trials()[0]
    assert status_of(before) == TrialStatus.RUNNING
    again = claimed(search)
    assert (again.number, dict(again.params)) == (0, before.params)
    lease = Lease.read(search.trials()[0].system_attrs)
    assert lease is not None
    assert lease.deaths == 1
    search.tell(again, DONE)
    assert len(finish(search)) == 7
    assert by_number(search.trials()) == undisturbed(tmp_path)
    assert search.finished


def test_recover_re_queues_trials_that_nobody_claims(tmp_path: Path) -> None:
    abandoned(lambda: opened(tmp_path))
    search = opened(tmp_path)
    search.recover()
    assert [status_of(trial) for trial in search.trials()] == [TrialStatus.INTERRUPTED]
    search.recover()
    lease = Lease.read(search.trials()[0].system_attrs)
    assert lease is not None
    assert lease.deaths == 1  # one process has died, however often it is looked for


def test_a_living_process_keeps_its_trial(tmp_path: Path) -> None:
    search, other = opened(tmp_path), opened(tmp_path)
    mine = claimed(search)
    assert claimed(other).number == 1
    other.recover()
    search.beat(mine, "1/2")
    search.tell(mine, DONE)


def test_a_trial_whose_process_dies_too_often_has_failed_and_is_not_tried_again(tmp_path: Path) -> None:
    for _ in range(3):
        abandoned(lambda: opened(tmp_path, n_trials=2, max_retries=2))
    search = opened(tmp_path, n_trials=2, max_retries=2)
    claims = finish(search)
    assert [claim.number for claim in claims] == [1]
    failed = search.trials()[0]
    assert status_of(failed) == TrialStatus.FAILED
    assert failed.user_attrs["outcome"]["reason"] == "its process died 3 times"
    assert search.finished


def test_a_trial_that_was_stopped_in_good_order_is_re_queued_and_costs_no_retry(tmp_path: Path) -> None:
    search = opened(tmp_path, max_retries=0)
    for _ in range(3):
        claim = claimed(search)
        assert claim.number == 0
        search.requeue(claim)
        assert status_of(search.trials()[0]) == TrialStatus.INTERRUPTED
    search.tell(claimed(search), DONE)
    assert status_of(search.trials()[0]) == TrialStatus.COMPLETED


def test_a_process_that_lost_a_lease_changes_nothing_any_more(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    lost = claimed(first)
    second.requeue(lost)
    taken = claimed(second)
    assert taken.number == lost.number
    for attempt in (
        lambda: first.beat(lost, "99/100"),
        lambda: first.tell(lost, TrialOutcome(TrialStatus.FAILED, reason="not mine")),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    first.requeue(lost)
    assert status_of(second.trials()[0]) == TrialStatus.RUNNING
    second.tell(taken, DONE)
    with pytest.raises(LeaseLost):
        first.tell(lost, TrialOutcome(TrialStatus.COMPLETED, (0.0,)))
    assert second.trials()[0].values == [1.0]


def test_a_beat_is_seen_by_others(tmp_path: Path) -> None:
    search, other = opened(tmp_path), opened(tmp_path)
    claim = claimed(search)
    for count in (1, 2, 3):
        search.beat(claim, f"{count}/3")
        lease = Lease.read(other.trials()[0].system_attrs)
        assert lease is not None
        assert (lease.beat, lease.progress) == (count, f"{count}/3")


def test_a_process_elsewhere_that_beats_keeps_its_trial_and_loses_it_when_it_falls_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("badger_sweeps.search.leases.time.monotonic", lambda: now)
    with monkeypatch.context() as there:
        there.setattr("badger_sweeps.search.leases.platform.node", lambda: "elsewhere")
        far = opened(tmp_path, n_trials=1, patience=30.0)
        claim = claimed(far)
    near = opened(tmp_path, n_trials=1, patience=30.0)
    for count in range(5):
        assert near.claim() is None
        assert not near.finished
        far.beat(claim, str(count))
        now += 25
    assert near.claim() is None
    now += 31
    taken = claimed(near)
    assert (taken.number, dict(taken.params)) == (claim.number, dict(claim.params))
    with pytest.raises(LeaseLost):
        far.beat(claim, "too late")


def test_a_trial_whose_files_are_here_is_claimed_before_one_whose_files_are_elsewhere(tmp_path: Path) -> None:
    search = opened(tmp_path / "here")
    for claim in [claimed(search) for _ in range(4)]:
        search.requeue(claim)
    for number in (1, 3):
        (tmp_path / "here" / str(number)).mkdir()
    assert [claimed(search).number for _ in range(5)] == [1, 3, 0, 2, 4]


def test_two_folders_go_on_with_the_trials_that_each_began(tmp_path: Path) -> None:
    address = str(tmp_path / "shared.journal")
    here, there = opened(tmp_path / "a", address), opened(tmp_path / "b", address)
    for search in (here, there, here, there):
        claim = claimed(search)
        claim.folder.mkdir(parents=True)
    mine = {search: sorted(int(path.name) for path in search.folder.glob("[0-9]*")) for search in (here, there)}
    assert mine == {here: [0, 2], there: [1, 3]}
    for search in (here, there):  # as after a reboot of both
        for trial in search.trials():
            if trial.state == TrialState.RUNNING:
                requeue_trial(search.storage, trial, lambda: None, search.settings.max_retries, died=False)
    assert [claimed(there).number, claimed(here).number, claimed(there).number, claimed(here).number] == [1, 0, 3, 2]


def test_the_total_may_be_raised_and_what_is_done_stays(tmp_path: Path) -> None:
    assert len(finish(opened(tmp_path, n_trials=3))) == 3
    done = by_number(opened(tmp_path, n_trials=3).trials())
    assert opened(tmp_path, n_trials=3).finished
    assert opened(tmp_path, n_trials=2).claim() is None  # a smaller total undoes nothing
    more = opened(tmp_path, n_trials=7)
    assert not more.finished
    assert [claim.number for claim in finish(more)] == [3, 4, 5, 6]
    trials = by_number(more.trials())
    assert {number: trials[number] for number in done} == done
    assert trials == undisturbed(tmp_path, n_trials=7)


def test_nothing_can_be_claimed_while_others_work_on_all_that_is_left(tmp_path: Path) -> None:
    search, other = opened(tmp_path, n_trials=2), opened(tmp_path, n_trials=2)
    first, second = claimed(search), claimed(search)
    assert other.claim() is None
    assert not other.claimable
    assert not other.finished
    search.tell(first, DONE)
    assert not other.claimable
    search.requeue(second)
    assert other.claimable
    other.tell(claimed(other), DONE)
    assert other.finished
    assert not other.claimable


def test_a_search_that_fails_too_often_begins_no_further_trials_but_ends_those_it_has(tmp_path: Path) -> None:
    search = opened(tmp_path, max_failure_rate=0.5)
    first, second, third = (claimed(search) for _ in range(3))
    search.tell(first, TrialOutcome(TrialStatus.FAILED, reason="so it is"))
    assert search.claim() is None
    assert not search.finished
    search.tell(second, DONE)
    search.requeue(third)
    assert claimed(search).number == third.number


@pytest.mark.parametrize("sampler", [random_sampler, tpe])
def test_a_trials_parameters_do_not_depend_on_who_draws_them_or_on_starts(
    sampler: Callable[[int | None], BaseSampler], tmp_path: Path
) -> None:
    def value(claim: Claim) -> TrialOutcome:
        return TrialOutcome(TrialStatus.COMPLETED, (float(claim.params["x"]),))

    alone = opened(tmp_path / "alone", sampler=sampler)
    while (claim := alone.claim()) is not None:
        alone.tell(claim, value(claim))
    for _ in range(8):  # each by another process, which knows only what is stored
        search = opened(tmp_path / "many", sampler=sampler)
        claim = claimed(search)
        search.requeue(claim)
        search = opened(tmp_path / "many", sampler=sampler)
        claim = claimed(search)
        search.tell(claim, value(claim))
    assert by_number(search.trials()) == by_number(alone.trials())


def test_the_points_to_be_tried_first_are_the_first_trials(tmp_path: Path) -> None:
    points = [{"x": 0.25, "n": 7, "kind": "b"}, {"x": 0.5, "n": 1, "kind": "a"}]
    search = opened(tmp_path, first=points)
    assert len(search.trials()) == 2
    assert [status_of(trial) for trial in search.trials()] == [TrialStatus.WAITING] * 2
    search = opened(tmp_path, first=points)  # another start does not add them again
    claims = finish(search)
    assert [dict(claim.params) for claim in claims[:2]] == points
    assert [claim.number for claim in claims] == list(range(8))


def test_a_search_that_is_another_one_is_refused_unless_forced(tmp_path: Path) -> None:
    search = opened(tmp_path)
    with pytest.raises(UsageError, match='`what` must be "this", as when the search \'study\' was begun; found "that"'):
        search.begin({"what": "that"}, [])
    search.begin({"what": "that"}, [], force=True)
    with pytest.raises(UsageError, match="`what` must be"):
        search.begin(DEFINITION, [])


def test_all_points_of_a_small_space_are_tried_once_and_then_it_is_done(tmp_path: Path) -> None:
    space = Space({"n": IntDistribution(1, 3), "kind": CategoricalDistribution(["a", "b"])})
    search = opened(tmp_path, space=space, n_trials=100)
    claims = finish(search)
    assert Counter((claim.params["n"], claim.params["kind"]) for claim in claims) == {
        (n, kind): 1 for n in (1, 2, 3) for kind in "ab"
    }
    assert search.finished


# Four processes at once


def work_until_done(folder: Path, address: str | None, total: int) -> None:
    search = opened(folder, address, n_trials=total)
    while (claim := search.claim()) is not None:
        search.beat(claim, "half")
        search.tell(claim, replace(DONE, details={"by": os.getpid()}))


@pytest.mark.parametrize("total", [24])
def test_four_processes_that_claim_at_once_make_exactly_the_total_and_no_point_twice(
    address: str | None, total: int, tmp_path: Path
) -> None:
    at_once(4, lambda: work_until_done(tmp_path, address, total))
    trials = opened(tmp_path, address, n_trials=total).trials()
    assert [trial.number for trial in trials] == list(range(total))
    assert {status_of(trial) for trial in trials} == {TrialStatus.COMPLETED}
    assert len({point_key(trial.params) for trial in trials}) == total
    assert by_number(trials) == undisturbed(tmp_path, n_trials=total)


def test_controllers_that_share_a_folder_may_write_their_results_at_once(tmp_path: Path) -> None:
    search = opened(tmp_path, n_trials=2)
    finish(search)
    state = search.state()

    def write() -> None:
        for _ in range(50):
            write_results(state, [], tmp_path)

    at_once(4, write)
    assert yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())["best_value"] == 1
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("seed", range(10))
def test_a_trial_that_gets_its_parameters_late_counts_among_those_taken(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("badger_sweeps.search.leases.time.monotonic", lambda: now)
    space = Space({"n": IntDistribution(1, 7)})
    search = opened(tmp_path, space=space, n_trials=6, seed=seed, patience=30.0)
    trial_id = search.storage.create_new_trial(search.storage.get_study_id_from_name(NAME))
    lease = Lease.new(0, tmp_path)  # its claimer, on another machine, died before it had drawn anything
    lease = replace(lease, owner=replace(lease.owner, host="elsewhere"))
    search.storage.set_trial_system_attr(trial_id, LEASE_ATTRIBUTE, lease.stored())
    for _ in range(4):
        search.tell(claimed(search), DONE)
    now += 31
    assert [claim.number for claim in finish(search)] == [0, 5]
    assert len({trial.params["n"] for trial in search.trials()}) == 6


@pytest.mark.parametrize("sampler", [random_sampler, tpe])
def test_parameters_of_an_extended_space_differ_from_trial_to_trial_and_not_from_start_to_start(
    sampler: Callable[[int | None], BaseSampler], tmp_path: Path
) -> None:
    def extend(trial: optuna.trial.Trial) -> None:
        trial.suggest_float("y", 0, 1)

    found = []
    for start in ("first", "second"):
        chosen = SearchSettings(n_trials=6, seed=5)
        address = StorageAddress.parse(None, tmp_path / start)
        search = Search(
            address, NAME, SPACE, chosen, lambda seed: sampler(0 if seed is None else seed), tmp_path, extend
        )
        search.begin(DEFINITION, [])
        found.append([claim.params["y"] for claim in finish(search)])
    assert len(set(found[0])) == 6
    assert found[0] == found[1]


def test_optuna_can_load_the_search_and_sees_the_states_it_knows(tmp_path: Path) -> None:
    search = opened(tmp_path, n_trials=5)
    for outcome in (
        DONE,
        TrialOutcome(TrialStatus.PRUNED, (0.5,), "too slow", {"iterations": 10}),
        TrialOutcome(TrialStatus.FAILED, reason="broken"),
        TrialOutcome(TrialStatus.DIVERGED, (3.0,), "all seeds"),
        TrialOutcome(TrialStatus.DIVERGED, None, "its value is NaN"),
    ):
        search.tell(claimed(search), outcome)
    seen = optuna.load_study(study_name=NAME, storage=search.storage).trials
    assert [trial.state for trial in seen] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.COMPLETE,
        TrialState.FAIL,
    ]
    assert [status_of(trial) for trial in seen] == [
        TrialStatus.COMPLETED,
        TrialStatus.PRUNED,
        TrialStatus.FAILED,
        TrialStatus.DIVERGED,
        TrialStatus.DIVERGED,
    ]
    assert search.finished


def test_of_trials_that_die_often_a_machine_begins_one_at_a_time(tmp_path: Path) -> None:
    """Or one that kills its process would take the other along, where a launcher ends all workers when one dies."""
    search = opened(tmp_path, n_trials=3, max_retries=3)
    for _ in range(2):
        both = [claimed(search), claimed(search)]
        for claim in both:
            search.requeue(claim, died=True)
    first = claimed(search)
    assert first.number == 0
    new = claimed(search)
    assert new.number == 2
    assert search.claim() is None
    assert not search.claimable
    assert not search.finished
    search.tell(new, DONE)
    search.tell(first, DONE)
    assert claimed(search).number == 1


def test_a_claimer_that_is_frozen_does_not_hold_up_the_others_and_claims_nothing_when_it_thaws(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process, or a machine that sleeps, in the middle of a claim."""
    search = opened(tmp_path, postgresql, n_trials=2)

    def freeze() -> None:
        search = opened(tmp_path, postgresql, n_trials=3)
        read = search.trials

        def trials() -> list[FrozenTrial]:
            found = read()
            os.kill(os.getpid(), signal.SIGSTOP)
            return found

        monkeypatch.setattr(search, "trials", trials)
        monkeypatch.setattr(storage, "IDLE_TIMEOUT", 1)  # of the claim alone: all else may take its time
        with pytest.raises(storage.storage_errors()):
            search.claim()

    child = forked(freeze)
    os.waitpid(child, os.WUNTRACED)
    assert [claim.number for claim in finish(search)] == [0, 1]
    os.kill(child, signal.SIGCONT)
    os.waitpid(child, os.WUNTRACED)  # the trials are read twice in a claim
    os.kill(child, signal.SIGCONT)
    assert ended(child) == 0
    assert len(search.trials()) == 2
