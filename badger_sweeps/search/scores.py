"""The scores of pruned trials, which samplers read, kept apart from the losses that pruners read."""

from __future__ import annotations

from collections.abc import Container
from copy import copy

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

SCORE_ATTRIBUTE = "badger:score"
"""The system attribute of a pruned trial that holds its score."""


def store_score(storage: BaseStorage, trial_id: int, iterations: int, value: float) -> None:
    """Store the score of a trial that is about to be pruned.

    Args:
        storage: the search's.
        trial_id: Optuna's id of the trial.
        iterations: iterations that the trial has done.
        value: lower bound of its objective, in the objective's unit; its mean loss where the objective has no bound.
    """
    storage.set_trial_system_attr(trial_id, SCORE_ATTRIBUTE, [iterations, value])


class ScoredStudy(optuna.Study):
    """An Optuna study as samplers are to see it.

    Optuna stores one series of intermediate values for a trial. Its samplers read the last of them as the result of a
    pruned trial (TPE ranks pruned trials of equal length by it, CMA-ES compares it with the values of complete trials);
    its pruners read all of them as one quantity. Here only pruners use the series, and samplers see one intermediate
    value of a pruned trial: its score. Samplers thus compare the same quantity in all pruned trials of a search,
    whether a pruner or a race ended them.
    """

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [_with_score(trial) for trial in super()._get_trials(deepcopy, states, use_cache)]


def _with_score(trial: FrozenTrial) -> FrozenTrial:
    """A pruned trial with its score as the only intermediate value.

    A trial that an earlier version pruned has no score and stays as it is: its last intermediate value is the score.
    """
    score = trial.system_attrs.get(SCORE_ATTRIBUTE)
    if trial.state != TrialState.PRUNED or score is None:
        return trial
    iterations, value = score
    scored = copy(trial)  # the storage's own object must not change
    scored.intermediate_values = {int(iterations): float(value)}
    return scored
