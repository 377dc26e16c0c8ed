"""Objectives: the numbers that a run is judged by, and all that is said of them.

The table `OBJECTIVES` is the one place that knows an objective; searches, summaries, W&B, tables and sentences read it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.bounds import TimeBound
from badger_sweeps.measures.escape import CONSECUTIVE, escape_threshold, first_below, solved_threshold
from badger_sweeps.measures.plateaus import unsolved
from badger_sweeps.measures.seed_outcome import SeedHistory, SeedOutcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.statistics.estimates import Estimate, censored_at, mean

Values = NDArray[np.float64]
Measured = int | float | None
ObjectiveName = str
"""A key of `OBJECTIVES`."""
LAST = 50
"""Iterations that a final loss is the mean of."""


@dataclass(frozen=True, kw_only=True)
class Objective(ABC):
    """One objective.

    Attributes:
        name: as in configurations and files.
        title: what it is, as a heading.
        heading: the same in short, for columns of tables, axes of charts and lines of text.
        label: the same in a word or two, for rows of narrow tables.
        answer_heading: the heading of the sentences on the configuration that is best by it.
        unit: of its values.
        format: the format specification of its values.
        if_lower: how a configuration differs from another one whose value is larger by ``{}``.
        if_higher: the same for one whose value is smaller.
        better: what better configurations do, compared with others; without a number.
        direction: whether lower or higher values are better. A search has a direction of its own (`hydra.sweeper`).
        needs_whole_run: whether only a whole run has it, and the beginning of a longer one does not. Runs of
            different budgets are then not compared by it. A subclass that says False must define `within_budget`.
    """

    name: ObjectiveName
    title: str
    heading: str
    label: str
    answer_heading: str
    unit: Literal["iterations", "loss"]
    format: str
    if_lower: str
    if_higher: str
    better: str
    direction: Literal["minimize", "maximize"] = "minimize"
    needs_whole_run: ClassVar[bool] = True

    @abstractmethod
    def measure(self, history: SeedHistory) -> Measured:
        """What is kept of one seed's history, in `SeedOutcome.measured` and in files; None if there is no value."""

    @abstractmethod
    def per_seed(self, outcomes: Sequence[SeedOutcome], budget: int) -> Values:
        """What each seed contributes, of what was measured and the budget, shape (seeds,); always a number."""

    def within_budget(self, measured: Measured, staircase: Staircase, budget: int) -> Measured:
        """What is known of a seed after `budget` iterations, of what was measured at the end of its run."""
        raise NotImplementedError(f"`{self.name}` is not known for the beginning of a run")

    def bound(self, seeds: Sequence[int], staircase: Staircase, budget: int) -> TimeBound | None:
        """The lower bound of the mean while these seeds train; None where there is none."""
        return None

    def estimate(self, outcomes: Sequence[SeedOutcome], budget: int) -> Estimate:
        """The mean over seeds of `per_seed`, with its BCa interval (None for fewer than eight seeds)."""
        return mean(self.per_seed(outcomes, budget))

    def measured_in(self, outcomes: Sequence[SeedOutcome]) -> bool:
        """Whether all outcomes have it; those in files that were written before it was in the table do not."""
        return all(self.name in outcome.measured for outcome in outcomes)

    def improvement(self, difference: float) -> float:
        """The size of an improvement: of a difference second - first, above 0 where the second value is better."""
        return -difference if self.direction == "minimize" else difference


@dataclass(frozen=True, kw_only=True)
class TimeBelow(Objective):
    """The time at which a seed's loss falls below a threshold: the first of three consecutive blocks below it.

    A seed that diverged, or did not get there within the budget, counts as the budget: the mean is the restricted mean.

    Attributes:
        threshold: the loss, which depends on the staircase.
    """

    threshold: Callable[[Staircase], float]
    needs_whole_run: ClassVar[bool] = False

    def measure(self, history: SeedHistory) -> int | None:
        staircase = history.staircase
        if history.diverged:
            return None
        return first_below(staircase.block_means(history.loss), self.threshold(staircase), staircase.block)

    def per_seed(self, outcomes: Sequence[SeedOutcome], budget: int) -> Values:
        return censored_at([outcome.time(self.name) for outcome in outcomes], budget)

    def within_budget(self, measured: Measured, staircase: Staircase, budget: int) -> Measured:
        """The time, if all blocks that define it end within the budget; None also for a seed that diverged later."""
        last = budget - CONSECUTIVE * staircase.block
        return measured if measured is not None and measured <= last else None

    def bound(self, seeds: Sequence[int], staircase: Staircase, budget: int) -> TimeBound:
        return TimeBound(self.threshold(staircase), seeds, staircase, budget)


@dataclass(frozen=True, kw_only=True)
class TimeOnPlateaus(Objective):
    """Iterations on plateaus above level 0; of a seed that did not solve the task, those within the budget.

    A seed that diverged or never escaped counts as the budget, whatever plateaus were found.
    """

    def measure(self, history: SeedHistory) -> int:
        return sum(plateau.duration for plateau in unsolved(history.plateaus))

    def per_seed(self, outcomes: Sequence[SeedOutcome], budget: int) -> Values:
        lost = [outcome.diverged or outcome.escape_iteration is None for outcome in outcomes]
        times = [budget if never else outcome.time(self.name) for never, outcome in zip(lost, outcomes, strict=True)]
        return np.array(times, dtype=float)


@dataclass(frozen=True, kw_only=True)
class FinalLoss(Objective):
    """The mean loss of the last 50 iterations; chance, 1, for a seed that diverged."""

    def measure(self, history: SeedHistory) -> float | None:
        loss = history.loss
        return None if history.diverged or not len(loss) else float(loss[-LAST:].mean(dtype=float))

    def per_seed(self, outcomes: Sequence[SeedOutcome], budget: int) -> Values:
        losses = [outcome.measured[self.name] for outcome in outcomes]
        return np.array([1.0 if loss is None else loss for loss in losses])


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        TimeBelow(
            name="escape_iteration",
            title="Iterations to escape the first plateau",
            heading="iterations to escape",
            label="escape",
            answer_heading="First plateau",
            unit="iterations",
            format=".0f",
            if_lower="escapes its first plateau {} iterations earlier than",
            if_higher="escapes its first plateau {} iterations later than",
            better="escape the first plateau sooner",
            threshold=escape_threshold,
        ),
        TimeOnPlateaus(
            name="plateau_iterations",
            title="Time on plateaus",
            heading="iterations on plateaus",
            label="on plateaus",
            answer_heading="All plateaus",
            unit="iterations",
            format=".0f",
            if_lower="spends {} fewer iterations on plateaus than",
            if_higher="spends {} more iterations on plateaus than",
            better="spend less time on plateaus",
        ),
        TimeBelow(
            name="solved_iteration",
            title="Iterations to solve the task",
            heading="iterations to solve",
            label="solved",
            answer_heading="Time to solve",
            unit="iterations",
            format=".0f",
            if_lower="solves the task {} iterations earlier than",
            if_higher="solves the task {} iterations later than",
            better="solve the task sooner",
            threshold=solved_threshold,
        ),
        FinalLoss(
            name="final_loss",
            title="Final loss",
            heading="final loss",
            label="final loss",
            answer_heading="Final loss",
            unit="loss",
            format=".2g",
            if_lower="ends with a loss {} lower than",
            if_higher="ends with a loss {} higher than",
            better="end with a lower loss",
        ),
    )
}
"""By name."""


def times() -> list[ObjectiveName]:
    """The objectives in iterations, in which configurations are compared by default."""
    return [name for name, objective in OBJECTIVES.items() if objective.unit == "iterations"]


def objective(name: ObjectiveName, outcomes: Sequence[SeedOutcome], budget: int) -> Estimate:
    """An objective's value with its interval (`Objective.estimate`)."""
    return OBJECTIVES[name].estimate(outcomes, budget)


def per_seed(name: ObjectiveName, outcomes: Sequence[SeedOutcome], budget: int) -> Values:
    """What each seed contributes to an objective (`Objective.per_seed`)."""
    return OBJECTIVES[name].per_seed(outcomes, budget)
