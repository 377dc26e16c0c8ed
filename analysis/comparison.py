"""Configurations side by side: the numbers of the result table, and the paired differences between its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.gather import FinishedRun
from badger_sweeps.measures.estimates import Estimate, PairedDifference, censored_at, mean, paired_difference, share
from badger_sweeps.measures.survival import kaplan_meier


@dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
        label: its run.
        seeds: how many members.
        escaped: how many left chance within the budget; diverged members count as not escaped.
        escaped_share: the same as a share, with its Wilson interval.
        median_escape: Kaplan-Meier median of the escape iteration; None unless more than half escaped.
        mean_escape: restricted mean of the escape iteration, with its interval.
        budget: the iterations it is restricted to.
        solved: how many reached rung 0.
        plateau_iterations: mean iterations on plateaus above rung 0, with its interval.
        final_loss: mean of the members that did not diverge, with its interval; None if all did.
        diverged: how many did.
    """

    label: str
    seeds: int
    escaped: int
    escaped_share: Estimate
    median_escape: float | None
    mean_escape: Estimate
    budget: int
    solved: int
    plateau_iterations: Estimate
    final_loss: Estimate | None
    diverged: int


def row(run: FinishedRun) -> Row:
    """The table's row of a run."""
    outcomes, budget = run.summary.outcomes, run.summary.budget
    times = [outcome.escape_iteration for outcome in outcomes]
    escaped = sum(time is not None for time in times)
    losses = [outcome.final_loss for outcome in outcomes if outcome.final_loss is not None]
    return Row(
        label=run.label,
        seeds=len(outcomes),
        escaped=escaped,
        escaped_share=share(escaped, len(outcomes)),
        median_escape=kaplan_meier(times, budget).median,
        mean_escape=mean(censored_at(times, budget)),
        budget=budget,
        solved=sum(outcome.solved_iteration is not None for outcome in outcomes),
        plateau_iterations=mean([budget if outcome.diverged else outcome.plateau_iterations for outcome in outcomes]),
        final_loss=mean(losses) if losses else None,
        diverged=sum(outcome.diverged for outcome in outcomes),
    )


@dataclass(frozen=True)
class Difference:
    """How much later another configuration escapes than the first, on the seeds both were trained on.

    Attributes:
        first: the configuration that is compared with.
        second: the other one.
        budget: the smaller of the two budgets; later escapes count as the budget.
        paired: mean of second - first in iterations, its interval, and the sign-flip test's p-value.
        holm_p_value: the p-value adjusted for all comparisons of the table (Holm); None where there is no p-value.
    """

    first: str
    second: str
    budget: int
    paired: PairedDifference
    holm_p_value: float | None


def differences(runs: Sequence[FinishedRun]) -> list[Difference]:
    """Compare every run with the first; runs that share no seed with it are left out."""
    if not runs:
        return []
    found = []
    for second in runs[1:]:
        budget = min(runs[0].summary.budget, second.summary.budget)
        before, after = _times(runs[0]), _times(second)
        shared = [seed for seed in before if seed in after]
        if shared:
            pair = [censored_at([times[seed] for seed in shared], budget) for times in (before, after)]
            found.append((second.label, budget, paired_difference(*pair)))
    adjusted = holm([paired.p_value for _, _, paired in found])
    return [
        Difference(runs[0].label, label, budget, paired, p_value)
        for (label, budget, paired), p_value in zip(found, adjusted, strict=True)
    ]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment; None stays None and does not count as a comparison."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    steps = np.maximum.accumulate([min(1.0, p * (len(known) - rank)) for rank, (p, _) in enumerate(known)] or [0.0])
    for (_, place), step in zip(known, steps, strict=False):
        adjusted[place] = float(step)
    return adjusted


def _times(run: FinishedRun) -> dict[int, int | None]:
    return {outcome.seed: outcome.escape_iteration for outcome in run.summary.outcomes}
