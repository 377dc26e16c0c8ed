"""Sampling the parameters of a claimed trial: in order in a small space, from a sampler in any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from badger_sweeps.search.sampling import ATTEMPTS, SamplerFactory, point_key, sample_point, sampler_seed
from badger_sweeps.search.scores import ScoredStudy
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Point, Space

Extend = Callable[[optuna.trial.Trial], None]
"""Suggests parameters beside those of the declared space (`hydra.sweeper.custom_search_space`)."""


class PointSampler:
    """Samples the points of one search. Its methods are called while this process holds the search's lock.

    Args:
        space: the declared search space.
        settings: of the search.
        sampler: builds the sampler of new points.
        extend: adds parameters to a trial; None for a search over the declared space alone.
    """

    def __init__(self, space: Space, settings: SearchSettings, sampler: SamplerFactory, extend: Extend | None) -> None:
        self._space, self._settings, self._sampler, self._extend = space, settings, sampler, extend
        self._finished_keys: list[object] = []

    def assign(
        self,
        trial: FrozenTrial,
        others: Sequence[FrozenTrial],
        storage: BaseStorage,
        scored_study: Callable[[], ScoredStudy],
    ) -> Point:
        """Give a running trial the parameters that it lacks, and store them.

        Args:
            trial: the running trial; parameters that it has stay.
            others: all trials of the search, to sample no point twice.
            storage: the search's.
            scored_study: loads the search as samplers see it; called only when a sampler is needed.

        Returns:
            All parameters of the trial.
        """
        point = self._point(trial, others, scored_study)
        for name, value in point.items():
            if name not in trial.params:
                distribution = self._space.distributions[name]
                storage.set_trial_param(trial._trial_id, name, distribution.to_internal_repr(value), distribution)
        if self._extend is None:
            return point
        study, seed = scored_study(), self._settings.seed
        study.sampler = self._sampler(None if seed is None else sampler_seed(seed, trial.number, 2 * ATTEMPTS))
        self._extend(optuna.trial.Trial(study, trial._trial_id))
        return storage.get_trial(trial._trial_id).params

    def enough(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether there are as many trials as the search is to have, or every point of the space has a trial."""
        n_trials = self._settings.n_trials
        if len(trials) >= n_trials:
            return True
        if self._extend is not None or not self._space.smaller_than(max(n_trials, len(trials))):
            return False
        tried = self._tried(trials)
        return all(point_key(point) in tried for point in self._space.points())

    def _point(
        self, trial: FrozenTrial, others: Sequence[FrozenTrial], scored_study: Callable[[], ScoredStudy]
    ) -> Point:
        if self._has_all_parameters(trial):
            return trial.params
        tried = self._tried(others)
        if self._in_order:
            for point in self._space.points():
                if point_key(point) not in tried and trial.params.items() <= point.items():
                    return point
        study, bare = scored_study(), copy(trial)
        bare.params = {}
        # A process may have died here after it had stored some of the parameters. The whole point is sampled once more
        # without them; if the result does not repeat the stored ones, the others are sampled to go with them.
        for start in (bare, trial):
            point = sample_point(study, start, self._space, self._sampler, self._settings.seed, tried)
            if trial.params.items() <= point.items():
                break
        return point

    def _tried(self, trials: Sequence[FrozenTrial]) -> set[object]:
        """The keys of the points that have a trial, whether it has ended or not."""
        for trial in trials[len(self._finished_keys) :]:
            if not trial.state.is_finished():
                break
            self._finished_keys.append(point_key(trial.params))  # does not change any more
        return {*self._finished_keys, *(point_key(trial.params) for trial in trials[len(self._finished_keys) :])}

    def _has_all_parameters(self, trial: FrozenTrial) -> bool:
        chosen: dict[str, Any] = {}
        for name in self._space.distributions:
            if self._space.applies(name, chosen):
                if name not in trial.params:
                    return False
                chosen[name] = trial.params[name]
        return True

    @property
    def _in_order(self) -> bool:
        """Whether all points are tried in order: on request, or where the space has no more points than trials."""
        return self._extend is None and (self._settings.grid or self._space.smaller_than(self._settings.n_trials))
