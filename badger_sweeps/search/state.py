"""The state of a search: its trials at one moment, as tables, trackers and result files show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial

from badger_sweeps.search.leases import Lease
from badger_sweeps.search.trial_outcome import OUTCOME, TrialStatus, status_of
from badger_sweeps.statistics.estimates import Estimate

ENDED = (TrialStatus.COMPLETED, TrialStatus.DIVERGED, TrialStatus.PRUNED, TrialStatus.FAILED)


@dataclass(frozen=True)
class TrialRecord:
    """One trial at one moment.

    Attributes:
        number: the trial's number.
        status: the trial's status.
        params: the trial's parameters.
        values: one for each objective; None for a trial that is not complete.
        interval: confidence interval of the first value; None where there is none.
        reason: why the trial was pruned or failed.
        progress: how far the trial is, while it runs.
        owner: machine and process id of the process that runs it.
        seconds: how long it took, over all its starts.
        ended: when it ended, by the clock of the machine that stored its outcome.
        details: the other entries of its outcome, and its constraints.
    """

    number: int
    status: TrialStatus
    params: Mapping[str, Any]
    values: tuple[float, ...] | None
    interval: tuple[float | None, float | None]
    reason: str
    progress: str
    owner: str
    seconds: float | None
    ended: datetime | None
    details: Mapping[str, Any]

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialRecord:
        """The record of a trial as Optuna stores it."""
        outcome = trial.user_attrs.get(OUTCOME, {})
        lease = Lease.read(trial.system_attrs)
        low, high = (outcome.get("intervals") or [[None, None]])[0]
        status = status_of(trial)
        duration = None if trial.datetime_start is None or trial.datetime_complete is None else trial.duration
        has_values = trial.values and status in (TrialStatus.COMPLETED, TrialStatus.DIVERGED)
        return cls(
            number=trial.number,
            status=status,
            params=trial.params,
            values=tuple(trial.values) if has_values else None,
            interval=(low, high),
            reason=outcome.get("reason", ""),
            progress=lease.progress if lease and status == TrialStatus.RUNNING else "",
            owner=f"{lease.owner.host}:{lease.owner.pid}" if lease else "",
            seconds=None if duration is None else duration.total_seconds(),
            ended=trial.datetime_complete,
            details={**outcome, "constraints": trial.constraints} if trial.constraints else outcome,
        )

    @property
    def estimate(self) -> Estimate | None:
        """The first value with its interval."""
        return None if self.values is None else Estimate(self.values[0], *self.interval)

    @property
    def breaks_constraint(self) -> bool:
        """Whether the trial violates a constraint."""
        return any(value > 0 for value in self.details.get("constraints", {}).values())


@dataclass(frozen=True)
class SearchState:
    """All trials of a search at one moment.

    Attributes:
        name: the search's name.
        total: how many trials the search is to have.
        directions: ``minimize`` or ``maximize``, one for each objective.
        trials: in order of their numbers.
    """

    name: str
    total: int
    directions: tuple[str, ...]
    trials: tuple[TrialRecord, ...]

    @classmethod
    def of(cls, name: str, total: int, directions: Sequence[str], trials: Sequence[FrozenTrial]) -> SearchState:
        """The state of trials as Optuna stores them."""
        return cls(name, total, tuple(directions), tuple(TrialRecord.of(trial) for trial in trials))

    @property
    def counts(self) -> Counter[TrialStatus]:
        """The number of trials of each status."""
        return Counter(trial.status for trial in self.trials)

    @property
    def ended(self) -> list[TrialRecord]:
        """Trials that have ended, in order of their ends by the clocks of the machines that stored their outcomes.

        Clocks disagree and jump, so the trial that ends next need not come last.
        """
        ended = [trial for trial in self.trials if trial.status in ENDED]
        return sorted(ended, key=lambda trial: (trial.ended or datetime.min, trial.number))

    @property
    def complete(self) -> list[TrialRecord]:
        """Trials with values, in order of numbers."""
        return [trial for trial in self.trials if trial.values is not None]

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of a search with one objective, the earliest of equals; None before a trial is complete.

        A trial that breaks a constraint is the best only if all complete trials break one.
        """
        if len(self.directions) > 1:
            return None
        feasible = [trial for trial in self.complete if not trial.breaks_constraint] or self.complete
        sign = -1 if self.directions[0] == "maximize" else 1
        return min(
            feasible, key=lambda trial: (sign * trial.values[0] if trial.values else 0, trial.number), default=None
        )
