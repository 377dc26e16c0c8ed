"""A trial of ours: one population of seeds, trained under the eyes of the study."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console

from badger_sweeps.measures.bounds import BOUNDED, TimeBound
from badger_sweeps.measures.estimates import sign_flip
from badger_sweeps.measures.objectives import Objective, objective, per_seed
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.runs.merge import merge
from badger_sweeps.runs.run import Plan, RunMonitor, Stopped, run
from badger_sweeps.search.pruning import Standing, feasible
from badger_sweeps.search.storage import NO_ANSWER, StorageLost
from badger_sweeps.search.study import Study
from badger_sweeps.search.trial import Trial
from badger_sweeps.search.trial_outcome import OUTCOME, State
from badger_sweeps.training.loop import DIVERGED, Record

VERDICTS = 100
"""How often at most, in a budget, it is asked whether a trial goes on."""
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


def run_trial(plan: Plan, trial: Trial) -> tuple[float, ...]:
    """Train the plan's seeds as a trial; gives its objectives, and tells the trial what else is known.

    Raises:
        Interrupted: a signal came.
        LeaseLost: another process has taken the trial over.
        StorageLost: the study does not answer.
        UsageError: the plan's folder cannot be used.
    """
    plan = replace(plan, group=trial.name)
    watcher = _Spectator(plan, trial)
    try:
        outcomes = _race(plan, trial, watcher) if trial.race else _train(plan, watcher)
    except NO_ANSWER as error:
        raise StorageLost from error
    except Stopped as stopped:
        trial.state, trial.reason = State.PRUNED, stopped.reason
        trial.details = {"iterations": watcher.iteration, "seeds": watcher.seeds}
        return (watcher.value,)
    budget, seeds = plan.experiment.training.iterations, len(outcomes)
    names = (plan.objective, *plan.further)
    estimates = [objective(name, outcomes, budget) for name in names]
    diverged = sum(outcome.diverged for outcome in outcomes)
    escaped = sum(outcome.escape_iteration is not None for outcome in outcomes)
    trial.state = State.DIVERGED if diverged == seeds else State.COMPLETED
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
        **{name: objective(name, outcomes, budget).value for name in OBJECTIVES},
        "diverged": diverged / seeds,
        "not_escaped": 1 - escaped / seeds,
    }
    return tuple(estimate.value for estimate in estimates)


def _train(plan: Plan, watcher: _Spectator) -> tuple[SeedOutcome, ...]:
    watcher.begin(plan.experiment.seeds)
    return run(plan, Console(quiet=True), watcher).outcomes


def _race(plan: Plan, trial: Trial, watcher: _Spectator) -> tuple[SeedOutcome, ...]:
    """Train stage after stage, each in a folder of its own; then make the trial's folder one run of all seeds."""
    assert trial.race is not None
    budget = plan.experiment.training.iterations
    levels = trial.race.levels(len(plan.experiment.seeds))
    outcomes: list[SeedOutcome] = []
    folders: list[Path] = []
    for number, seeds in enumerate(trial.race.stages(plan.experiment.seeds)):
        folders.append(plan.folder / f"stage-{number}")
        folders[-1].mkdir(parents=True, exist_ok=True)
        experiment = replace(plan.experiment, seeds=seeds)
        outcomes += _train(replace(plan, experiment=experiment, folder=folders[-1]), watcher)
        watcher.end(outcomes)
        rival = _incumbent(trial.study)
        shared = [outcome for outcome in outcomes if outcome.seed in rival]
        level = levels.get(len(outcomes), 0.0)
        own = per_seed(plan.objective, shared, budget)
        theirs = np.array([rival[outcome.seed] for outcome in shared])
        if trial.race.lost(own, theirs, level):
            lead = f"out of the race after {len(outcomes)} seeds"
            worse = f"worse than the incumbent by {(own - theirs).mean():.4g} on average"
            raise Stopped(budget, f"{lead}: {worse}, p = {sign_flip(own - theirs, 'greater'):.2g}")
    merge(plan, folders)
    return tuple(outcomes)


def _incumbent(study: Study) -> dict[int, float]:
    """What each seed of the best complete trial counts; empty before there is one."""
    complete = [
        trial for trial in study.trials() if "per_seed" in trial.user_attrs.get(OUTCOME, {}) and feasible(trial)
    ]
    if not complete:
        return {}
    best = min(complete, key=lambda trial: (trial.values[0], trial.number))
    return {int(seed): value for seed, value in best.user_attrs[OUTCOME]["per_seed"].items()}


def _by_seed(name: Objective, outcomes: Sequence[SeedOutcome], budget: int) -> dict[str, float]:
    values = per_seed(name, outcomes, budget)
    return {str(outcome.seed): float(value) for outcome, value in zip(outcomes, values, strict=True)}


class _Spectator(RunMonitor):
    """Follows a trial's bound and loss, and asks its study now and then whether it goes on.

    Attributes:
        iteration: iterations done of the stage that trains.
        seeds: how many have begun.
        value: what samplers are told of the trial if it is stopped now (`scores.keep_score`): what its objective must
            at least become on the seeds that have begun, or their mean loss for an objective without a bound. Seeds
            that have not begun are left out: a trial would look the better the fewer a race had let begin.
    """

    def __init__(self, plan: Plan, trial: Trial) -> None:
        self._plan, self._trial = plan, trial
        self._budget, self._total = plan.experiment.training.iterations, len(plan.experiment.seeds)
        self._every = max(plan.staircase.block, self._budget // VERDICTS)
        self._bound: TimeBound | None = None
        self._settled = 0.0
        self._members = 0
        self._losses: deque[float] = deque(maxlen=plan.staircase.block)
        self.iteration = self.seeds = 0
        self.value = 1.0

    def begin(self, seeds: Sequence[int]) -> None:
        """A stage begins."""
        self._members = len(seeds)
        self.seeds += len(seeds)
        if self._plan.objective in BOUNDED:
            self._bound = TimeBound(self._plan.objective, seeds, self._plan.staircase, self._budget)

    def end(self, outcomes: Sequence[SeedOutcome]) -> None:
        """A stage has ended, perhaps in an earlier process; `outcomes` are those of all seeds until now."""
        self._settled = float(per_seed(self._plan.objective, outcomes, self._budget).sum())
        self.iteration = max(outcome.iterations for outcome in outcomes)
        name: Objective = self._plan.objective if self._bound is not None else "final_loss"
        self.value = float(per_seed(name, outcomes, self._budget).mean())

    def recall(self, record: Record) -> None:
        self.iteration = record.iteration + 1
        loss, diverged = record.metrics["loss"], record.metrics[DIVERGED]
        whole = diverged == 0
        self._losses.append((float(loss[whole].sum()) + self._members - int(whole.sum())) / self._members)
        if self._bound is not None:
            self._bound.observe(record.seeds, loss, diverged)
        self.value = self._least if self._bound is not None else self._loss

    def observe(self, record: Record) -> str | None:
        self.recall(record)
        self._trial.check()
        self._trial.progress = f"{self.iteration}/{self._budget}"
        if self.iteration % self._every or self.iteration == self._budget:
            return None
        bound = None if self._bound is None else self._sum / self._total  # seeds that have not begun: nothing yet
        return self._trial.verdict(Standing(self.iteration, self._loss, bound))

    @property
    def _least(self) -> float:
        """The bound of the mean over the seeds that have begun."""
        return self._sum / self.seeds

    @property
    def _sum(self) -> float:
        """What the seeds that have begun count at least, together."""
        assert self._bound is not None
        return self._settled + float(self._bound.per_seed.sum())

    @property
    def _loss(self) -> float:
        return float(np.mean(self._losses))
