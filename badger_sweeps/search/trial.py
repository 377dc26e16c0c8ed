"""A claimed trial: how the code that trains it reaches the search, and its heartbeats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from badger_sweeps.search.current_trial import working_on
from badger_sweeps.search.leases import Claim, LeaseLost
from badger_sweeps.search.pruning import Pruning, TrainingProgress
from badger_sweeps.search.racing import Race
from badger_sweeps.search.search import Search
from badger_sweeps.search.storage import storage_errors
from badger_sweeps.search.trial_outcome import TrialStatus


@dataclass
class Trial:
    """A claimed trial, which the task function gets from `current_trial.current_trial`.

    Attributes:
        search: the trial's search.
        claim: the claim on the trial.
        pruning: the rule that may prune the trial; None for none.
        race: how the trial adds seeds; None to train all seeds at once.
        progress: how far the trial is, as text; stored with every heartbeat.
        status: the status with which the trial ends, unless its return value or an exception decides that.
        reason: why the trial ends with this status.
        details: what is stored with the trial beside its values: plain values by name.
        quantities: the quantities that constraints may limit, by name.
        lease_lost: set once another process has taken the trial over.
    """

    search: Search
    claim: Claim
    pruning: Pruning | None = None
    race: Race | None = None
    progress: str = ""
    status: TrialStatus = TrialStatus.COMPLETED
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    quantities: Mapping[str, float] = field(default_factory=dict)
    lease_lost: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """The name of the group of the trial's runs: ``shorten_plateaus 12``."""
        return f"{self.search.name} {self.claim.number}"

    def check_lease(self) -> None:
        """Raise `LeaseLost` if another process has taken the trial over."""
        if self.lease_lost.is_set():
            raise LeaseLost(self.claim.number)

    def reason_to_prune(self, progress: TrainingProgress) -> str | None:
        """Why the trial is to be pruned now; None if it continues, as it does while the storage does not answer."""
        if self.pruning is None:
            return None
        search = self.search
        try:
            return self.pruning.reason_to_prune(search.optuna_study, search.storage, self.claim.trial_id, progress)
        except storage_errors():
            return None


@contextmanager
def sending_heartbeats(trial: Trial, stop_requested: Callable[[], bool], stop: Callable[[], None]) -> Iterator[None]:
    """Within this context the trial is the current one, and a thread sends its heartbeats until the lease is lost.

    Args:
        trial: the trial.
        stop_requested: asked at every heartbeat until it is true.
        stop: called once when it is true. The heartbeats continue, because saving the trial may take longer than the
            interval between two of them.
    """
    done = threading.Event()

    def send() -> None:
        stopped = False
        while not done.wait(trial.search.settings.heartbeat):
            try:
                trial.search.beat(trial.claim, trial.progress)
                if not stopped and stop_requested():
                    stopped = True
                    stop()
            except LeaseLost:
                trial.lease_lost.set()
                return
            except Exception:
                # Whatever failed may work at the next heartbeat. A process that lives must keep sending them, or
                # another process starts the same trial. An error that stays is raised again when the outcome is stored.
                continue

    thread = threading.Thread(target=send, name=f"trial {trial.claim.number}", daemon=True)
    with working_on(trial):
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=10)
