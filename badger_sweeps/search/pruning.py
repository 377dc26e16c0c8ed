"""Stopping trials early: our rule, which cannot stop the best one, and any of Optuna's."""

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
class Standing:
    """A trial while it trains.

    Attributes:
        iteration: iterations done.
        loss: mean loss of its members over the last block; 1, chance, for a member that diverged.
        bound: what its objective must at least become; None for an objective without a bound.
    """

    iteration: int
    loss: float
    bound: float | None


class Pruning(ABC):
    """Decides whether a trial goes on."""

    @abstractmethod
    def verdict(self, study: optuna.Study, storage: BaseStorage, trial_id: int, standing: Standing) -> str | None:
        """Why the trial is to be stopped, in one line; None if it goes on."""


@settings
class CensoredBound:
    """Stop a trial once its restricted mean can only become worse than that of trials that are complete.

    At iteration t every member that has not escaped costs at least t (`measures.bounds`), so a trial is never stopped
    that would have been the best. Loss curves do not matter: a trial on a plateau is not stopped for being flat.

    Args:
        quantile: of the complete trials' values, which the bound must exceed. 0 is the incumbent: saves most. A larger
            one leaves more trials complete for the sampler to learn from.
        min_trials: complete trials before any is stopped.
    """

    quantile: Annotated[float, Field(ge=0, le=1)] = 0.0
    min_trials: Count = 1

    def limit(self, values: Sequence[float]) -> float:
        """What a trial's bound must exceed, given the values of complete trials; infinity while there are too few."""
        return float(np.quantile(values, self.quantile)) if len(values) >= self.min_trials else float("inf")


class ByBound(Pruning):
    """Our rule, on a study."""

    def __init__(self, rule: CensoredBound) -> None:
        self._rule = rule

    def verdict(self, study: optuna.Study, storage: BaseStorage, trial_id: int, standing: Standing) -> str | None:
        if standing.bound is None or study.directions != [StudyDirection.MINIMIZE]:
            return None
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        # A trial that breaks a constraint is not the best, however low its value: nobody is measured by it.
        limit = self._rule.limit([trial.values[0] for trial in complete if feasible(trial)])
        if not standing.bound > limit:
            return None
        return f"after {standing.iteration} iterations its mean is at least {standing.bound:.4g}, above {limit:.4g}"


class ByOptuna(Pruning):
    """One of Optuna's pruners, which is shown the mean loss."""

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner = pruner

    def verdict(self, study: optuna.Study, storage: BaseStorage, trial_id: int, standing: Standing) -> str | None:
        last = storage.get_trial(trial_id).last_step
        if last is not None and last > standing.iteration:  # goes on after a stop, and was let pass here before
            return None
        storage.set_trial_intermediate_value(trial_id, standing.iteration, standing.loss)
        trial = storage.get_trial(trial_id)
        if not self._pruner.prune(study, trial):
            return None
        return f"{type(self._pruner).__name__} at iteration {standing.iteration}, mean loss {standing.loss:.3g}"


def feasible(trial: FrozenTrial) -> bool:
    """Whether a trial breaks no constraint."""
    return all(violation <= 0 for violation in trial.constraints.values())


def pruning(built: CensoredBound | BasePruner | None) -> Pruning | None:
    """What a configured pruner does to a trial; None for none."""
    if built is None:
        return None
    return ByBound(built) if isinstance(built, CensoredBound) else ByOptuna(built)
