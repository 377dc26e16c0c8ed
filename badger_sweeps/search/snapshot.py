"""A study at one moment, as tables, trackers and result files tell of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial

from badger_sweeps.measures.estimates import Estimate
from badger_sweeps.search.leases import Lease
from badger_sweeps.search.trial_outcome import OUTCOME, State, state_of

ENDED = (State.COMPLETED, State.DIVERGED, State.PRUNED, State.FAILED)


@dataclass(frozen=True)
class TrialView:
    """One trial.

    Attributes:
        number: the trial's.
        state: how it stands.
        params: its parameters.
        values: one for each objective; None for a trial that is not complete.
        interval: of the first value; None where there is none.
        reason: why it was pruned or failed.
        progress: how far it is, while it runs.
        owner: the machine and process that run it.
        seconds: how long it took, over all its starts.
        ended: when.
        details: what else was told of it.
    """

    number: int
    state: State
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
    def of(cls, trial: FrozenTrial) -> TrialView:
        """The trial as Optuna keeps it."""
        told = trial.user_attrs.get(OUTCOME, {})
        lease = Lease.read(trial.system_attrs)
        low, high = (told.get("intervals") or [[None, None]])[0]
        state = state_of(trial)
        took = None if trial.datetime_start is None or trial.datetime_complete is None else trial.duration
        return cls(
            number=trial.number,
            state=state,
            params=trial.params,
            values=tuple(trial.values) if trial.values and state in (State.COMPLETED, State.DIVERGED) else None,
            interval=(low, high),
            reason=told.get("reason", ""),
            progress=lease.progress if lease and state == State.RUNNING else "",
            owner=f"{lease.owner.host}:{lease.owner.pid}" if lease else "",
            seconds=None if took is None else took.total_seconds(),
            ended=trial.datetime_complete,
            details={**told, "constraints": trial.constraints} if trial.constraints else told,
        )

    @property
    def estimate(self) -> Estimate | None:
        """The first value with its interval."""
        return None if self.values is None else Estimate(self.values[0], *self.interval)


@dataclass(frozen=True)
class StudyView:
    """All trials of a study, and what is wanted of it."""

    name: str
    total: int
    directions: tuple[str, ...]
    trials: tuple[TrialView, ...]

    @classmethod
    def of(cls, name: str, total: int, directions: Sequence[str], trials: Sequence[FrozenTrial]) -> StudyView:
        """The study as Optuna keeps it."""
        return cls(name, total, tuple(directions), tuple(TrialView.of(trial) for trial in trials))

    @property
    def counts(self) -> Counter[State]:
        """How many trials stand how."""
        return Counter(trial.state for trial in self.trials)

    @property
    def ended(self) -> list[TrialView]:
        """Trials that ended, in the order of their ends by the clocks of the machines that told of them.

        Clocks disagree and jump: the next to end need not come last.
        """
        ended = [trial for trial in self.trials if trial.state in ENDED]
        return sorted(ended, key=lambda trial: (trial.ended or datetime.min, trial.number))

    @property
    def complete(self) -> list[TrialView]:
        """Trials with values, in order of numbers."""
        return [trial for trial in self.trials if trial.values is not None]

    @property
    def best(self) -> TrialView | None:
        """The best trial of a search with one objective, the earliest of equals; None before there is one."""
        if len(self.directions) > 1:
            return None
        feasible = [trial for trial in self.complete if not _violates(trial)] or self.complete
        sign = -1 if self.directions[0] == "maximize" else 1
        return min(
            feasible, key=lambda trial: (sign * trial.values[0] if trial.values else 0, trial.number), default=None
        )


def _violates(trial: TrialView) -> bool:
    return any(value > 0 for value in trial.details.get("constraints", {}).values())
