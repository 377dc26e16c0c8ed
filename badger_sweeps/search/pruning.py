"""Pruning: rules that end a trial early. Ours cannot end the best trial; any of Optuna's pruners can be used, too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field

from badger_sweeps.core.settings import Count, settings


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a trial that trains.

    Attributes:
        iteration: iterations done.
        loss: mean loss of its members over the last block; 1, chance, for a member that diverged.
        bound: lower bound of its objective at the end of training; None for an objective without a bound.
    """

    iteration: int
    loss: float
    bound: float | None


class Pruning(ABC):
    """Decides whether a trial is pruned."""

    @abstractmethod
    def reason_to_prune(
        self, study: optuna.Study, storage: BaseStorage, trial_id: int, progress: TrainingProgress
    ) -> str | None:
        """Why the trial is to be pruned, in one line; None if it continues."""


class PruningSettings(ABC):
    """Settings of a pruner of this package; `hydra_plugins/badger_sweeper/config.py` names the choices."""

    @abstractmethod
    def pruning(self) -> Pruning:
        """The pruning with these settings."""


@settings
class CensoredBound(PruningSettings):
    """Prune a trial once its restricted mean is certain to be worse than that of complete trials.

    At iteration t every member that has not escaped costs at least t (`measures.bounds`), so the rule never prunes a
    trial that would have been the best. It does not look at loss curves: a trial on a plateau is not pruned for being
    flat.

    Args:
        quantile: the bound must exceed this quantile of the complete trials' values. 0 is the value of the best trial
            and saves most; a larger quantile leaves more complete trials for the sampler to learn from.
        min_trials: number of complete trials before any is pruned.
    """

    quantile: Annotated[float, Field(ge=0, le=1)] = 0.0
    min_trials: Count = 1

    def pruning(self) -> Pruning:
        return BoundPruning(self)

    def limit(self, values: Sequence[float]) -> float:
        """The value above which a bound prunes, given those of complete trials; infinity while they are too few."""
        return float(np.quantile(values, self.quantile)) if len(values) >= self.min_trials else float("inf")


class BoundPruning(Pruning):
    """Prunes by a `CensoredBound` over the complete trials of an Optuna study."""

    def __init__(self, rule: CensoredBound) -> None:
        self._rule = rule

    def reason_to_prune(
        self, study: optuna.Study, storage: BaseStorage, trial_id: int, progress: TrainingProgress
    ) -> str | None:
        if progress.bound is None or study.directions != [StudyDirection.MINIMIZE]:
            return None
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        # A trial that breaks a constraint is not the best, however low its value: it sets no limit.
        limit = self._rule.limit([trial.values[0] for trial in complete if feasible(trial)])
        if not progress.bound > limit:
            return None
        return f"after {progress.iteration} iterations its mean is at least {progress.bound:.4g}, above {limit:.4g}"


class OptunaPruning(Pruning):
    """Prunes by one of Optuna's pruners, to which it reports the mean loss."""

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner = pruner

    def reason_to_prune(
        self, study: optuna.Study, storage: BaseStorage, trial_id: int, progress: TrainingProgress
    ) -> str | None:
        last = storage.get_trial(trial_id).last_step
        # A trial that was resumed from a checkpoint repeats iterations in which an earlier start was not pruned.
        if last is not None and last > progress.iteration:
            return None
        storage.set_trial_intermediate_value(trial_id, progress.iteration, progress.loss)
        trial = storage.get_trial(trial_id)
        if not self._pruner.prune(study, trial):
            return None
        return f"{type(self._pruner).__name__} at iteration {progress.iteration}, mean loss {progress.loss:.3g}"


def feasible(trial: FrozenTrial) -> bool:
    """Whether a trial breaks no constraint."""
    return all(violation <= 0 for violation in trial.constraints.values())


def build_pruning(pruner: PruningSettings | BasePruner | None) -> Pruning | None:
    """The pruning that a configured pruner stands for; None without a pruner."""
    if pruner is None:
        return None
    return OptunaPruning(pruner) if isinstance(pruner, BasePruner) else pruner.pruning()
