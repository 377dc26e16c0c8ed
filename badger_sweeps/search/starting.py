"""Which trials of a search may start now, and when a search starts no new ones."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.search.leases import Lease
from badger_sweeps.search.settings import SearchSettings


def startable(trials: Sequence[FrozenTrial], settings: SearchSettings) -> list[FrozenTrial]:
    """The waiting trials that a process on this machine may claim now.

    Launchers such as joblib's end all workers when one of them dies. A trial that kills its process thus also ends the
    trials beside it, until they have no retries left either. A machine therefore works on at most one trial at a time
    of those that are close to their last retry (`close_to_last_retry`).
    """
    waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
    if not any(close_to_last_retry(trial, settings) for trial in waiting):
        return waiting
    running = [trial for trial in trials if trial.state == TrialState.RUNNING and close_to_last_retry(trial, settings)]
    leases = [Lease.read(trial.system_attrs) for trial in running]
    if not any(lease is not None and lease.owner.alive for lease in leases):
        return waiting
    return [trial for trial in waiting if not close_to_last_retry(trial, settings)]


def close_to_last_retry(trial: FrozenTrial, settings: SearchSettings) -> bool:
    """Whether so many processes died on the trial that at most one retry is left after the next death."""
    lease = Lease.read(trial.system_attrs)
    return lease is not None and lease.deaths >= max(1, settings.max_retries - 1)


def too_many_failed(trials: Sequence[FrozenTrial], settings: SearchSettings) -> bool:
    """Whether the share of failed trials among those that ended exceeds `max_failure_rate`."""
    if settings.max_failure_rate >= 1:
        return False
    ended = [trial for trial in trials if trial.state.is_finished()]
    failed = sum(trial.state == TrialState.FAIL for trial in ended)
    return bool(ended) and failed / len(ended) > settings.max_failure_rate
