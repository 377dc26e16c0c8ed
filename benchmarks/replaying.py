"""Recorded searches replayed: what a rule for stopping trials would have seen, stopped, saved and lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import optuna
import pyarrow.parquet as pq
from numpy.typing import NDArray

from badger_sweeps.measures.escape import escape_iteration, solved_iteration
from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.search.pruning import CensoredBound, Pruning, TrainingProgress
from badger_sweeps.search.racing import Race
from badger_sweeps.search.trial_training import PRUNING_CHECKS
from badger_sweeps.tasks.guessing_game import GuessingGame

RECORDED = Path(__file__).parent / "recorded"
TIMES = {"escape_iteration": escape_iteration, "solved_iteration": solved_iteration}


@dataclass(frozen=True, eq=False)
class Search:
    """Trials that were all trained to the end.

    Attributes:
        name: of the task.
        staircase: gives D and the block.
        loss: each seed's loss in every iteration, NaN from where it diverged; shape (trials, iterations, seeds).
    """

    name: str
    staircase: Staircase
    loss: NDArray[np.float32]

    @classmethod
    def recorded(cls, dims: int) -> Search:
        """One that `recorded.record` has made."""
        table = pq.read_table(RECORDED / f"guessing_game_{dims}.parquet")
        games, points = int(table.schema.metadata[b"games"]), table.schema.metadata[b"points"].count(b"architecture")
        staircase = Staircase.for_run(dims, games, GuessingGame(dims=dims).game_variance(order=2))
        loss = np.stack([column.to_numpy() for column in table.columns], axis=-1).astype(np.float32)
        return cls(f"{dims} dimensions", staircase, loss.reshape(points, -1, loss.shape[1]))

    @property
    def budget(self) -> int:
        """Iterations of a trial."""
        return self.loss.shape[1]

    @property
    def seeds(self) -> int:
        """Of a trial."""
        return self.loss.shape[2]

    @property
    def every(self) -> int:
        """Iterations between two pruning checks, as in a real trial."""
        return max(self.staircase.block, self.budget // PRUNING_CHECKS)

    @cache  # noqa: B019  there are two searches, which live as long as the process
    def per_seed(self, name: str) -> NDArray[np.float64]:
        """What each seed counts in the end; shape (trials, seeds)."""
        diverged = np.isnan(self.loss).any(axis=1)
        times = [[TIMES[name](curve, self.staircase) for curve in trial.T] for trial in self.loss]
        censored = np.array([[self.budget if time is None else time for time in trial] for trial in times], dtype=float)
        return np.where(diverged, self.budget, censored)

    @cache  # noqa: B019
    def bounds(self, name: str) -> NDArray[np.float64]:
        """The lower bound of each seed at every pruning check; shape (trials, checks, seeds)."""
        return np.array([self._bounds(name, trial) for trial in self.loss])

    @cache  # noqa: B019
    def progress(self, name: str) -> list[list[TrainingProgress]]:
        """The progress of each trial at every pruning check."""
        bounds = self.bounds(name).mean(axis=2)
        whole = np.nan_to_num(self.loss, nan=1.0).mean(axis=2, dtype=float)
        return [
            [
                TrainingProgress(at, float(curve[max(0, at - self.staircase.block) : at].mean()), float(bound))
                for at, bound in zip(self.checks, trial, strict=True)
            ]
            for curve, trial in zip(whole, bounds, strict=True)
        ]

    @property
    def checks(self) -> range:
        """Iterations after which the pruning rule is asked about a trial."""
        return range(self.every, self.budget, self.every)

    def _bounds(self, name: str, trial: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        bound = OBJECTIVES[name].bound(range(self.seeds), self.staircase, self.budget)
        assert bound is not None
        rows = []
        gone = np.zeros(self.seeds, dtype=bool)
        for iteration, row in enumerate(trial):
            here = np.flatnonzero(~gone)
            bound.observe(here.tolist(), row[here], np.isnan(row[here]).astype(float))
            gone |= np.isnan(row)
            if iteration + 1 in self.checks:
                rows.append(bound.per_seed)
        return rows


@dataclass(frozen=True)
class Replay:
    """What became of a search's trials under a rule.

    Attributes:
        trained: seeds' iterations of each trial.
        stopped: whether it was, before its end.
    """

    trained: NDArray[np.int64]
    stopped: NDArray[np.bool_]


def pruned(search: Search, objective: str, rule: Pruning, order: Sequence[int]) -> Replay:
    """One trial after another, in this order, on a study in memory, where the rule sees what it would see."""
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="replayed", sampler=optuna.samplers.RandomSampler(0))
    progress, values = search.progress(objective), search.per_seed(objective).mean(axis=1)
    trained = np.full(len(order), search.budget * search.seeds)
    stopped = np.zeros(len(order), dtype=bool)
    for trial in order:
        asked = study.ask()
        for seen in progress[trial]:
            if rule.reason_to_prune(study, storage, asked._trial_id, seen) is not None:
                trained[trial], stopped[trial] = seen.iteration * search.seeds, True
                study.tell(asked, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(asked, values[trial])
    return Replay(trained, stopped)


def raced(search: Search, objective: str, race: Race, rule: CensoredBound | None, order: Sequence[int]) -> Replay:
    """One trial after another, in this order, each on a few seeds at first; stopped by its bound too, given a rule."""
    values, bounds = search.per_seed(objective), search.bounds(objective)
    trained = np.zeros(len(order), dtype=int)
    stopped = np.zeros(len(order), dtype=bool)
    complete: list[int] = []
    levels = race.significance_levels(search.seeds)
    for trial in order:
        rivals = values[complete].mean(axis=1)
        limit = rule.limit(rivals) if rule is not None else np.inf
        done = 0
        for stage in race.stages(range(search.seeds)):
            least = (values[trial, :done].sum() + bounds[trial][:, list(stage)].sum(axis=1)) / search.seeds
            if (least > limit).any():
                trained[trial] += search.checks[int((least > limit).argmax())] * len(stage)
                stopped[trial] = True
                break
            done += len(stage)
            trained[trial] += search.budget * len(stage)
            if complete:
                best = complete[int(rivals.argmin())]
                if race.is_worse(values[trial, :done], values[best, :done], levels.get(done, 0.0)):
                    stopped[trial] = True
                    break
        else:
            complete.append(trial)
    return Replay(trained, stopped)
