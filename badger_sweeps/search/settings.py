"""The settings of a search: how many trials, in which order, and what happens when processes die."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSettings:
    """How a search runs; none of it changes what a trial computes.

    Attributes:
        n_trials: the total number of trials, over all starts and all processes.
        directions: ``minimize`` or ``maximize``, one for each objective.
        seed: seed of all samplers; None for points that differ from start to start.
        grid: whether to try all points in order.
        max_retries: how often a trial is started again after its process died.
        heartbeat: seconds between two heartbeats.
        patience: seconds without a heartbeat after which a process on another machine counts as dead.
        max_failure_rate: share of failed trials above which the search starts no new trial.
        may_differ: keys of the definition that do not decide a result: processes of one search may disagree in them.
    """

    n_trials: int
    directions: tuple[str, ...] = ("minimize",)
    seed: int | None = 0
    grid: bool = False
    max_retries: int = 3
    heartbeat: float = 10.0
    patience: float = 120.0
    max_failure_rate: float = 1.0
    may_differ: tuple[str, ...] = ()
