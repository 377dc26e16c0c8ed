"""Re-queueing a trial whose process has stopped or died: it waits again with its parameters, or has failed."""

from __future__ import annotations

from collections.abc import Callable

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.search.leases import LEASE_ATTRIBUTE, Lease
from badger_sweeps.search.trial_outcome import OUTCOME, TrialOutcome, TrialStatus


def requeue_trial(
    storage: BaseStorage, trial: FrozenTrial, confirm_lock: Callable[[], object], max_retries: int, died: bool = True
) -> None:
    """Set a running trial back to waiting with its parameters; or to failed, after too many deaths.

    Args:
        storage: the search's.
        trial: the running trial, whose lease is released.
        confirm_lock: raises if this process does not hold the search's lock any more.
        max_retries: after more deaths than this the trial has failed.
        died: whether to count this as the death of the trial's process.
    """
    lease = Lease.read(trial.system_attrs)
    confirm_lock()
    if lease is not None:
        # A running trial with a released lease: a process died in the middle of this function and counted the death.
        lease = lease.released(died and lease.token is not None)
        storage.set_trial_system_attr(trial._trial_id, LEASE_ATTRIBUTE, lease.stored())
    outcome, state = TrialOutcome(TrialStatus.INTERRUPTED), TrialState.WAITING
    if lease is not None and lease.deaths > max_retries:
        outcome = TrialOutcome(TrialStatus.FAILED, reason=f"its process died {lease.deaths} times")
        state = TrialState.FAIL
    storage.set_trial_user_attr(trial._trial_id, OUTCOME, outcome.attribute)
    storage.set_trial_state_values(trial._trial_id, state)
