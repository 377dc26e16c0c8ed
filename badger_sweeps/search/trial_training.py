"""Training a trial: one population of seeds, which a pruning rule or a race may end early."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from badger_sweeps.measures.bounds import TimeBound
from badger_sweeps.measures.objectives import OBJECTIVES, ObjectiveName, per_seed
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.runs.merge import merge
from badger_sweeps.runs.run import Plan, RunMonitor, Stopped, run
from badger_sweeps.search.pruning import TrainingProgress, feasible
from badger_sweeps.search.search import Search
from badger_sweeps.search.storage import StorageLost, storage_errors
from badger_sweeps.search.trial import Trial
from badger_sweeps.search.trial_outcome import OUTCOME, TrialStatus
from badger_sweeps.statistics.estimates import sign_flip
from badger_sweeps.training.loop import DIVERGED, Records, next_multiple

PRUNING_CHECKS = 100
"""The number of times, at most, that the pruning rule is asked about a trial within its budget."""


def run_trial(plan: Plan, trial: Trial) -> tuple[float, ...]:
    """Train the plan's seeds as a trial.

    The status, the reason, the details and the quantities of its outcome go into `trial`.

    Returns:
        One value for each objective; of a pruned trial its score.

    Raises:
        Interrupted: a signal came.
        LeaseLost: another process has taken the trial over.
        StorageLost: the search's storage does not answer.
        UsageError: the plan's folder cannot be used.
    """
    plan = replace(plan, group=trial.name)
    monitor = _TrialMonitor(plan, trial)
    try:
        outcomes = _race(plan, trial, monitor) if trial.race else _train(plan, monitor)
    except storage_errors() as error:
        raise StorageLost from error
    except Stopped as stopped:
        trial.status, trial.reason = TrialStatus.PRUNED, stopped.reason
        trial.details = {"iterations": monitor.iteration, "seeds": monitor.seeds}
        return (monitor.value,)
    budget, seeds = plan.experiment.training.iterations, len(outcomes)
    names = (plan.objective, *plan.further_objectives)
    estimates = [OBJECTIVES[name].estimate(outcomes, budget) for name in names]
    diverged = sum(outcome.diverged for outcome in outcomes)
    escaped = sum(outcome.escape_iteration is not None for outcome in outcomes)
    trial.status = TrialStatus.DIVERGED if diverged == seeds else TrialStatus.COMPLETED
    trial.details = {
        "iterations": max(outcome.iterations for outcome in outcomes),
        "seeds": seeds,
        "escaped": escaped,
        "diverged": diverged,
        "objectives": list(names),
        "intervals": [[estimate.low, estimate.high] for estimate in estimates],
        "per_seed": _by_seed(plan.objective, outcomes, budget),
    }
    trial.quantities = {
        **{name: objective.estimate(outcomes, budget).value for name, objective in OBJECTIVES.items()},
        "diverged": diverged / seeds,
        "not_escaped": 1 - escaped / seeds,
    }
    return tuple(estimate.value for estimate in estimates)


def _train(plan: Plan, monitor: _TrialMonitor) -> tuple[SeedOutcome, ...]:
    monitor.begin(plan.experiment.seeds)
    return run(plan, Console(quiet=True), monitor).outcomes


def _race(plan: Plan, trial: Trial, monitor: _TrialMonitor) -> tuple[SeedOutcome, ...]:
    """Train stage after stage, each in its own folder; then merge them in the trial's folder as one run of all seeds.

    Raises:
        Stopped: the trial has lost the race.
    """
    assert trial.race is not None
    budget = plan.experiment.training.iterations
    levels = trial.race.significance_levels(len(plan.experiment.seeds))
    outcomes: list[SeedOutcome] = []
    folders: list[Path] = []
    for number, seeds in enumerate(trial.race.stages(plan.experiment.seeds)):
        folders.append(plan.folder / f"stage-{number}")
        folders[-1].mkdir(parents=True, exist_ok=True)
        experiment = replace(plan.experiment, seeds=seeds)
        outcomes += _train(replace(plan, experiment=experiment, folder=folders[-1]), monitor)
        monitor.end(outcomes)
        incumbent = _incumbent(trial.search)
        shared = [outcome for outcome in outcomes if outcome.seed in incumbent]
        level = levels.get(len(outcomes), 0.0)
        values = per_seed(plan.objective, shared, budget)
        best = np.array([incumbent[outcome.seed] for outcome in shared])
        if trial.race.is_worse(values, best, level):
            lead = f"out of the race after {len(outcomes)} seeds"
            worse = f"worse than the incumbent by {(values - best).mean():.4g} on average"
            raise Stopped(budget, f"{lead}: {worse}, p = {sign_flip(values - best, 'greater'):.2g}")
    merge(plan, folders)
    return tuple(outcomes)


def _incumbent(search: Search) -> dict[int, float]:
    """The objective of each seed in the best complete trial; empty before there is one."""
    complete = [
        trial for trial in search.trials() if "per_seed" in trial.user_attrs.get(OUTCOME, {}) and feasible(trial)
    ]
    if not complete:
        return {}
    best = min(complete, key=lambda trial: (trial.values[0], trial.number))
    return {int(seed): value for seed, value in best.user_attrs[OUTCOME]["per_seed"].items()}


def _by_seed(name: ObjectiveName, outcomes: Sequence[SeedOutcome], budget: int) -> dict[str, float]:
    values = per_seed(name, outcomes, budget)
    return {str(outcome.seed): float(value) for outcome, value in zip(outcomes, values, strict=True)}


class _TrialMonitor(RunMonitor):
    """Follows a trial's bound and loss, and asks the pruning rule at regular intervals whether to prune the trial.

    Attributes:
        iteration: iterations done of the current stage.
        seeds: the number of seeds that have begun.
        value: the trial's score if it is pruned now (`scores.store_score`): the lower bound of its objective over the
            seeds that have begun, or their mean loss for an objective without a bound. Seeds that have not begun do not
            count: else a trial would look better, the fewer of its seeds a race had begun.
    """

    def __init__(self, plan: Plan, trial: Trial) -> None:
        self._plan, self._trial = plan, trial
        self._budget, self._total = plan.experiment.training.iterations, len(plan.experiment.seeds)
        self._every = max(plan.staircase.block, self._budget // PRUNING_CHECKS)
        self._bound: TimeBound | None = None
        self._ended_sum = 0.0
        self._members = 0
        self._losses: deque[float] = deque(maxlen=plan.staircase.block)
        self.iteration = self.seeds = 0
        self.value = 1.0

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin a stage."""
        self._members = len(seeds)
        self.seeds += len(seeds)
        self._bound = OBJECTIVES[self._plan.objective].bound(seeds, self._plan.staircase, self._budget)

    def end(self, outcomes: Sequence[SeedOutcome]) -> None:
        """End a stage, which an earlier process may have trained; `outcomes` are those of all seeds so far."""
        self._ended_sum = float(per_seed(self._plan.objective, outcomes, self._budget).sum())
        self.iteration = max(outcome.iterations for outcome in outcomes)
        name: ObjectiveName = self._plan.objective if self._bound is not None else "final_loss"
        self.value = float(per_seed(name, outcomes, self._budget).mean())

    def observe(self, records: Records) -> None:
        for record in records:
            loss, diverged = record.metrics["loss"], record.metrics[DIVERGED]
            finite = diverged == 0
            self._losses.append((float(loss[finite].sum()) + self._members - int(finite.sum())) / self._members)
            if self._bound is not None:
                self._bound.observe(record.seeds, loss, diverged)
        self.iteration = records.iterations.stop
        self.value = self._bound_sum / self.seeds if self._bound is not None else self._loss

    def next_stop(self, iteration: int) -> int:
        return next_multiple(self._every, iteration)

    def reason_to_stop(self) -> str | None:
        self._trial.check_lease()
        self._trial.progress = f"{self.iteration}/{self._budget}"
        if self.iteration % self._every or self.iteration == self._budget:
            return None
        # The pruning rule needs a bound for all seeds; that of a seed that has not begun is 0.
        bound = None if self._bound is None else self._bound_sum / self._total
        return self._trial.reason_to_prune(TrainingProgress(self.iteration, self._loss, bound))

    @property
    def _bound_sum(self) -> float:
        """The sum of the lower bounds of the seeds that have begun."""
        assert self._bound is not None
        return self._ended_sum + float(self._bound.per_seed.sum())

    @property
    def _loss(self) -> float:
        return float(np.mean(self._losses))
