"""What samplers see of a trial that was stopped early, kept apart from the losses by which pruners compare trials."""

from __future__ import annotations

from collections.abc import Container
from copy import copy

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

ATTRIBUTE = "badger:score"
"""The system attribute of a pruned trial that holds its score."""


def keep_score(storage: BaseStorage, trial_id: int, iterations: int, value: float) -> None:
    """Keep the score of a trial that is about to be told as pruned.

    Args:
        storage: the study's.
        trial_id: Optuna's name for the trial.
        iterations: how far it came.
        value: what its objective must at least become, in the objective's unit; its mean loss where the objective has
            no bound.
    """
    storage.set_trial_system_attr(trial_id, ATTRIBUTE, [iterations, value])


class ScoredStudy(optuna.Study):
    """A study as samplers are to see it.

    Optuna has one series of intermediate values for a trial. Its samplers read the last one as what a pruned trial has
    come to (TPE ranks pruned trials by it among those of equal length, CMA-ES sets it beside the values of complete
    ones); its pruners read all of them as one quantity. Here the series is pruners' alone, and of a pruned trial
    samplers see one intermediate value: its score. So they compare the same quantity in all pruned trials of a study,
    whichever pruner stopped them, or a race.
    """

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [_scored(trial) for trial in super()._get_trials(deepcopy, states, use_cache)]


def _scored(trial: FrozenTrial) -> FrozenTrial:
    """A pruned trial with its score; one of an earlier version, which had reported it, as it is."""
    score = trial.system_attrs.get(ATTRIBUTE)
    if trial.state != TrialState.PRUNED or score is None:
        return trial
    iterations, value = score
    seen = copy(trial)  # the storage's own must stay as it is
    seen.intermediate_values = {int(iterations): float(value)}
    return seen
