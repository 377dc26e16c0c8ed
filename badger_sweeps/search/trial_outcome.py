"""How a trial stands, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from optuna.trial import FrozenTrial, TrialState

OUTCOME = "outcome"
"""The user attribute of a trial that tells how it ended, for whoever reads the study."""


class State(StrEnum):
    """How a trial stands. Optuna's own states do not tell the last three of those that ended from one another."""

    WAITING = "waiting"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: completed, pruned, failed or diverged. A diverged trial has values, if its objective gives any.
        values: one for each objective; of a pruned trial its score (`scores.keep_score`); None for a trial without.
        reason: why it was pruned or failed, in one line.
        details: what else is known, plain values by name: the interval, each seed's part.
        constraints: by name; violated above 0.
    """

    state: State
    values: tuple[float, ...] | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    constraints: Mapping[str, float] = field(default_factory=dict)


def state_of(trial: FrozenTrial) -> State:
    """How a trial stands."""
    told = trial.user_attrs.get(OUTCOME, {}).get("state")
    if trial.state == TrialState.RUNNING:
        return State.RUNNING
    if trial.state == TrialState.WAITING:
        return State.INTERRUPTED if told == State.INTERRUPTED else State.WAITING
    by_optuna = {TrialState.COMPLETE: State.COMPLETED, TrialState.PRUNED: State.PRUNED, TrialState.FAIL: State.FAILED}
    return State(told) if told == State.DIVERGED else by_optuna[trial.state]
