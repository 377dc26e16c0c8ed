"""Configurations side by side: the numbers of the result table, and the paired differences between its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.escape import CONSECUTIVE
from badger_sweeps.measures.estimates import Estimate, PairedDifference, mean, paired_difference, share
from badger_sweeps.measures.objectives import Objective, per_seed
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.measures.survival import kaplan_meier
from badger_sweeps.reporting.inference.multiple_testing import holm
from badger_sweeps.reporting.reading.collection import Collection, Run


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
        solved: how many reached level 0.
        plateau_iterations: mean iterations on plateaus above level 0, with its interval.
        final_loss: mean of the members that did not diverge, with its interval; None if all did.
        diverged: how many did.
        measurable: whether the budget was long enough for an escape to be seen; if not, the times mean nothing.
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
        mean_escape=mean(per_seed("escape_iteration", outcomes, budget)),
        budget=budget,
        solved=sum(outcome.solved_iteration is not None for outcome in outcomes),
        plateau_iterations=mean(per_seed("plateau_iterations", outcomes, budget)),
        final_loss=mean(losses) if losses else None,
        diverged=sum(outcome.diverged for outcome in outcomes),
        measurable=run.summary.measurable,
    )


QUANTITIES: tuple[Objective, ...] = ("escape_iteration", "plateau_iterations", "solved_iteration")
"""What configurations are compared in, in iterations."""
OF_THE_WHOLE = ("plateau_iterations", "final_loss")
"""What cannot be told of a part of a run: plateaus were found in the whole of it."""


@dataclass(frozen=True)
class Difference:
    """How many iterations (or how much loss) more another configuration takes than the first, on the seeds of both.

    Attributes:
        quantity: what is compared (`objectives.per_seed`).
        first: the configuration that is compared with.
        second: the other one.
        budget: the smaller of the two budgets; what was reached later counts as the budget.
        paired: mean of second - first, its interval, and the sign-flip test's p-value.
        holm_p_value: the p-value adjusted for all comparisons made (Holm); None where there is no p-value.
    """

    quantity: Objective
    first: str
    second: str
    budget: int
    paired: PairedDifference
    holm_p_value: float | None


def differences(runs: Sequence[Run], quantities: Sequence[Objective] = QUANTITIES) -> list[Difference]:
    """Compare every run with the first, in every quantity.

    Runs too short to see an escape in, and runs that share no seed with it, are left out; so are times that no seed
    of either reached, and, under another budget, what is of the whole run.
    """
    found = []
    runs = [run for run in runs if run.summary.measurable]
    for second in runs[1:]:
        budgets = {runs[0].summary.budget, second.summary.budget}
        for quantity in quantities:
            _, pair = paired_values(quantity, runs[0], second, min(budgets))
            whole = quantity in OF_THE_WHOLE
            if not whole and all((values == min(budgets)).all() for values in pair):
                continue  # nobody got there
            if len(pair[0]) and (not whole or len(budgets) == 1):
                found.append((quantity, runs[0].label, second.label, min(budgets), paired_difference(*pair)))
    adjusted = holm([comparison[-1].p_value for comparison in found])
    return [Difference(*comparison, p_value) for comparison, p_value in zip(found, adjusted, strict=True)]


def compared(collection: Collection) -> list[Difference]:
    """Of runs that no search has chosen by the seeds they are compared on.

    What a search was for is compared in its own section, where it is the one comparison made and not one of several.
    """
    told = collection.search.objectives[0] if collection.search is not None else None
    found = differences([run for run in collection.runs if not run.searched])
    return [difference for difference in found if difference.quantity != told]


def paired_values(
    quantity: Objective, first: Run, second: Run, budget: int
) -> tuple[tuple[int, ...], list[NDArray[np.float64]]]:
    """The seeds that both runs have, and the values of both on them (`objectives.per_seed`).

    Of a run that went on for longer than `budget` there is what would have been seen of it by then: an escape is none
    before its blocks are over.
    """
    outcomes = [{own.seed: _seen(own, run, budget) for own in run.summary.outcomes} for run in (first, second)]
    shared = tuple(seed for seed in outcomes[0] if seed in outcomes[1])
    return shared, [per_seed(quantity, [own[seed] for seed in shared], budget) for own in outcomes]


def _seen(outcome: SeedOutcome, run: Run, budget: int) -> SeedOutcome:
    """What is known of a seed after so many iterations, of all that its run did."""
    if run.summary.budget <= budget:
        return outcome
    last = budget - CONSECUTIVE * run.summary.staircase.block
    times = (outcome.escape_iteration, outcome.solved_iteration)
    escape, solved = (time if time is not None and time <= last else None for time in times)
    return replace(outcome, escape_iteration=escape, solved_iteration=solved)
