"""Comparison of configurations: the numbers of the result table, and the paired differences between its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.objectives import OBJECTIVES, ObjectiveName, per_seed, times
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.reporting.reading.collection import Collection, Run
from badger_sweeps.statistics.estimates import Estimate, PairedDifference, mean, paired_difference, share
from badger_sweeps.statistics.multiple_testing import holm
from badger_sweeps.statistics.survival import kaplan_meier


@dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
        label: of the run.
        seeds: how many members.
        escaped: how many escaped their first plateau within the budget; diverged members count as not escaped.
        escaped_share: `escaped` as a share of the seeds, with its Wilson interval.
        median_escape: Kaplan-Meier median of the escape iteration; None unless more than half escaped.
        mean_escape: restricted mean of the escape iteration, with its interval.
        budget: the number of iterations that the mean is restricted to.
        solved: how many reached level 0.
        plateau_iterations: mean time on plateaus above level 0, in iterations, with its interval.
        final_loss: mean over the members that did not diverge, with its interval; None if all diverged.
        diverged: how many diverged.
        measurable: whether the budget was long enough for an escape to be detected; if not, the times mean nothing.
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
    measurable: bool


def row(run: Run) -> Row:
    """The row of a run in the result table."""
    outcomes, budget = run.summary.outcomes, run.summary.budget
    escapes = [outcome.escape_iteration for outcome in outcomes]
    escaped = sum(time is not None for time in escapes)
    losses = [outcome.final_loss for outcome in outcomes if outcome.final_loss is not None]
    return Row(
        label=run.label,
        seeds=len(outcomes),
        escaped=escaped,
        escaped_share=share(escaped, len(outcomes)),
        median_escape=kaplan_meier(escapes, budget).median,
        mean_escape=mean(per_seed("escape_iteration", outcomes, budget)),
        budget=budget,
        solved=sum(outcome.solved_iteration is not None for outcome in outcomes),
        plateau_iterations=mean(per_seed("plateau_iterations", outcomes, budget)),
        final_loss=mean(losses) if losses else None,
        diverged=sum(outcome.diverged for outcome in outcomes),
        measurable=run.summary.measurable,
    )


@dataclass(frozen=True)
class Difference:
    """The difference between two configurations in one objective, second minus first, on the seeds that both have.

    Attributes:
        objective: what is compared (`measures.objectives`).
        first: the reference configuration.
        second: the other configuration.
        budget: the smaller of the two budgets; later times count as this budget.
        paired: mean of second - first, its interval, and the sign-flip test's p-value.
        holm_p_value: the p-value adjusted for all comparisons made (Holm); None where there is no p-value.
    """

    objective: ObjectiveName
    first: str
    second: str
    budget: int
    paired: PairedDifference
    holm_p_value: float | None

    @property
    def improvement(self) -> float:
        """The size of the mean improvement of the second configuration over the first; below 0 if it is worse."""
        return OBJECTIVES[self.objective].improvement(self.paired.difference.value)

    @property
    def better(self) -> int:
        """Number of seeds on which the second configuration is better."""
        return self.paired.lower if OBJECTIVES[self.objective].direction == "minimize" else self.paired.higher


def differences(runs: Sequence[Run], objectives: Sequence[ObjectiveName] | None = None) -> list[Difference]:
    """Compare every run with the first, in every objective; by default in those that are times.

    Left out are runs too short for an escape to be detected, runs that share no seed with the first, times that no seed
    of either run reached, objectives of whole runs where budgets differ, and objectives that a run's file does not have
    because it was written before they were in the table.
    """
    found = []
    runs = [run for run in runs if run.summary.measurable]
    for second in runs[1:]:
        budgets = {runs[0].summary.budget, second.summary.budget}
        for objective in times() if objectives is None else objectives:
            whole = OBJECTIVES[objective].needs_whole_run
            measured = all(OBJECTIVES[objective].measured_in(run.summary.outcomes) for run in (runs[0], second))
            if not measured or (whole and len(budgets) > 1):
                continue
            _, pair = paired_values(objective, runs[0], second, min(budgets))
            if not whole and all((values == min(budgets)).all() for values in pair):
                continue  # no seed reached it
            if len(pair[0]):
                found.append((objective, runs[0].label, second.label, min(budgets), paired_difference(*pair)))
    adjusted = holm([comparison[-1].p_value for comparison in found])
    return [Difference(*comparison, p_value) for comparison, p_value in zip(found, adjusted, strict=True)]


def compare_runs(collection: Collection) -> list[Difference]:
    """The differences between the runs of a collection that are not trials of a search.

    A search has chosen its trials by the seeds on which they would be compared. The objective of a search is left out:
    the search's own section compares it, where it is the only comparison made and not one of several.
    """
    searched = collection.search.objectives[0] if collection.search is not None else None
    found = differences([run for run in collection.runs if not run.searched])
    return [difference for difference in found if difference.objective != searched]


def paired_values(
    objective: ObjectiveName, first: Run, second: Run, budget: int
) -> tuple[tuple[int, ...], list[NDArray[np.float64]]]:
    """The seeds that both runs have, and the values of both runs on them (`objectives.per_seed`).

    Of a run with a larger budget it is what was known after `budget` iterations (`Objective.within_budget`).
    """
    outcomes = [
        {outcome.seed: _within_budget(objective, outcome, run, budget) for outcome in run.summary.outcomes}
        for run in (first, second)
    ]
    shared = tuple(seed for seed in outcomes[0] if seed in outcomes[1])
    return shared, [per_seed(objective, [by_seed[seed] for seed in shared], budget) for by_seed in outcomes]


def _within_budget(objective: ObjectiveName, outcome: SeedOutcome, run: Run, budget: int) -> SeedOutcome:
    """The outcome of a seed with the value that an objective had after `budget` iterations."""
    if run.summary.budget <= budget:
        return outcome
    value = OBJECTIVES[objective].within_budget(outcome.measured[objective], run.summary.staircase, budget)
    return replace(outcome, measured={**outcome.measured, objective: value})
