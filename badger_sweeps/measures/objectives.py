"""Objectives: the numbers that a run is judged by, lower being better, and all that is said of them.

This table is the one place that knows an objective; searches, summaries, W&B, tables and sentences read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.bounds import TimeBound
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.statistics.estimates import Estimate, censored_at, mean

Values = NDArray[np.float64]
ObjectiveName = Literal["escape_iteration", "plateau_iterations", "solved_iteration", "final_loss"]


@dataclass(frozen=True)
class Objective:
    """One objective.

    Attributes:
        name: as in configurations and files.
        title: what it is, as a heading.
        heading: the same in short, for columns of tables and axes of charts.
        label: the same in a word or two, for rows of narrow tables.
        goal: what becomes better when it falls.
        unit: of its values.
        style: how its values are formatted.
        less: how a configuration differs from another one whose value is larger by ``{}``.
        more: the same for one whose value is smaller.
        per_seed: what each seed contributes, of its outcomes and the budget.
        level: the loss below which three blocks in a row must lie for the time that it is; None where it is no time of
            that kind, so that nothing bounds it while a run goes on.
        of_whole_run: whether it can be computed for a whole run alone, and not of the beginning of a longer one.
    """

    name: ObjectiveName
    title: str
    heading: str
    label: str
    goal: str
    unit: Literal["iterations", "loss"]
    style: str
    less: str
    more: str
    per_seed: Callable[[Sequence[SeedOutcome], int], Values]
    level: Callable[[Staircase], float] | None = None
    of_whole_run: bool = False

    def estimate(self, outcomes: Sequence[SeedOutcome], budget: int) -> Estimate:
        """The mean over seeds of `per_seed`, with its BCa interval (None for fewer than eight seeds)."""
        return mean(self.per_seed(outcomes, budget))

    def bound(self, seeds: Sequence[int], staircase: Staircase, budget: int) -> TimeBound | None:
        """Follows what it must at least become while these seeds train; None where nothing bounds it."""
        return None if self.level is None else TimeBound(self.level(staircase), seeds, staircase, budget)


def _escape(outcomes: Sequence[SeedOutcome], budget: int) -> Values:
    """The time; the budget where a seed did not escape within it. The mean is the restricted mean."""
    return censored_at([outcome.escape_iteration for outcome in outcomes], budget)


def _solved(outcomes: Sequence[SeedOutcome], budget: int) -> Values:
    """The time; the budget where a seed did not solve the task within it. The mean is the restricted mean."""
    return censored_at([outcome.solved_iteration for outcome in outcomes], budget)


def _on_plateaus(outcomes: Sequence[SeedOutcome], budget: int) -> Values:
    """Iterations on plateaus above level 0; the budget for a seed that diverged or never escaped, whatever was found
    on its way."""
    lost = [outcome.diverged or outcome.escape_iteration is None for outcome in outcomes]
    times = [budget if never else outcome.plateau_iterations for never, outcome in zip(lost, outcomes, strict=True)]
    return np.array(times, dtype=float)


def _final_loss(outcomes: Sequence[SeedOutcome], budget: int) -> Values:
    """The final loss; chance, 1, for a seed that diverged."""
    return np.array([1.0 if outcome.final_loss is None else outcome.final_loss for outcome in outcomes])


OBJECTIVES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(
            name="escape_iteration",
            title="Iterations to escape the first plateau",
            heading="iterations to escape",
            label="escape",
            goal="First plateau",
            unit="iterations",
            style=".0f",
            less="escapes its first plateau {} iterations earlier than",
            more="escapes its first plateau {} iterations later than",
            per_seed=_escape,
            level=lambda staircase: 1 - staircase.tolerance,
        ),
        Objective(
            name="plateau_iterations",
            title="Time on plateaus",
            heading="iterations on plateaus",
            label="on plateaus",
            goal="All plateaus",
            unit="iterations",
            style=".0f",
            less="spends {} fewer iterations on plateaus than",
            more="spends {} more iterations on plateaus than",
            per_seed=_on_plateaus,
            of_whole_run=True,
        ),
        Objective(
            name="solved_iteration",
            title="Iterations to solve the task",
            heading="iterations to solve",
            label="solved",
            goal="Way to the solution",
            unit="iterations",
            style=".0f",
            less="solves the task {} iterations earlier than",
            more="solves the task {} iterations later than",
            per_seed=_solved,
            level=lambda staircase: staircase.tolerance,
        ),
        Objective(
            name="final_loss",
            title="Final loss",
            heading="final loss",
            label="final loss",
            goal="Final loss",
            unit="loss",
            style=".2g",
            less="ends with a loss {} lower than",
            more="ends with a loss {} higher than",
            per_seed=_final_loss,
            of_whole_run=True,
        ),
    )
}
"""By name."""


def objective(name: ObjectiveName, outcomes: Sequence[SeedOutcome], budget: int) -> Estimate:
    """An objective's value with its interval (`Objective.estimate`)."""
    return OBJECTIVES[name].estimate(outcomes, budget)


def per_seed(name: ObjectiveName, outcomes: Sequence[SeedOutcome], budget: int) -> Values:
    """What each seed contributes to an objective (`Objective.per_seed`)."""
    return OBJECTIVES[name].per_seed(outcomes, budget)
