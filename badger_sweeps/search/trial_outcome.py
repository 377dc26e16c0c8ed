"""The status of a trial, and the outcome with which it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from optuna.trial import FrozenTrial, TrialState

OUTCOME = "outcome"
"""The user attribute of a trial that holds its outcome (`TrialOutcome.attribute`), for all readers of the storage."""


class TrialStatus(StrEnum):
    """The status of a trial. Optuna's `TrialState` has no interrupted and no diverged trials."""

    WAITING = "waiting"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial, or of one of its starts.

    Attributes:
        status: completed, pruned, failed or diverged; interrupted if the trial is re-queued. A diverged trial has
            values if its objective is defined for diverged seeds.
        values: one for each objective; of a pruned trial its score (`scores.store_score`); None for a trial without.
        reason: why the trial was pruned or failed, in one line.
        details: plain values by name, such as the intervals and the objective of each seed.
        constraints: the value of each constraint by name; a value above 0 violates it.
    """

    status: TrialStatus
    values: tuple[float, ...] | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    constraints: Mapping[str, float] = field(default_factory=dict)

    @property
    def attribute(self) -> dict[str, Any]:
        """The value of the trial's `OUTCOME` attribute."""
        return {"state": str(self.status), "reason": self.reason, **self.details}

    @property
    def optuna_state(self) -> TrialState:
        """Optuna's state of a trial that ended so."""
        if self.status == TrialStatus.PRUNED:
            return TrialState.PRUNED
        return TrialState.COMPLETE if self.values and self.status != TrialStatus.FAILED else TrialState.FAIL


def status_of(trial: FrozenTrial) -> TrialStatus:
    """The status of a trial, from Optuna's state and the stored outcome."""
    stored = trial.user_attrs.get(OUTCOME, {}).get("state")
    if trial.state == TrialState.RUNNING:
        return TrialStatus.RUNNING
    if trial.state == TrialState.WAITING:
        return TrialStatus.INTERRUPTED if stored == TrialStatus.INTERRUPTED else TrialStatus.WAITING
    by_optuna = {
        TrialState.COMPLETE: TrialStatus.COMPLETED,
        TrialState.PRUNED: TrialStatus.PRUNED,
        TrialState.FAIL: TrialStatus.FAILED,
    }
    return TrialStatus(stored) if stored == TrialStatus.DIVERGED else by_optuna[trial.state]
