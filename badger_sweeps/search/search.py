"""One search that any number of processes share: they claim its trials one at a time, and lose none of them."""

from __future__ import annotations

import math
import secrets
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.search.definition import Definition, check_same
from badger_sweeps.search.leases import LEASE_ATTRIBUTE, Claim, Lease, LeaseLost, LeaseMonitor
from badger_sweeps.search.point_sampler import Extend, PointSampler
from badger_sweeps.search.requeueing import requeue_trial
from badger_sweeps.search.sampling import SamplerFactory, point_key
from badger_sweeps.search.scores import ScoredStudy, store_score
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Point, Space
from badger_sweeps.search.starting import startable, too_many_failed
from badger_sweeps.search.state import SearchState
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import OUTCOME, TrialOutcome

DEFINITION = "badger:definition"
"""The user attribute of an Optuna study that holds the search's definition (`definition`)."""
SEARCH_ID = "badger:id"
"""The user attribute of an Optuna study that holds the search's id (`Search.search_id`)."""
STOP = "badger:stop"
"""How the name of the user attribute begins that asks workers to stop; their controller's id follows."""

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Search:
    """A search, kept as an Optuna study in a storage.

    A process claims a trial, re-queues it and tells its outcome only while it holds the search's lock. The total is
    therefore exact, no point is sampled twice, and the trial of a process that died is re-queued with its parameters.

    Args:
        address: the address of the storage.
        name: the search's name there.
        space: the search space.
        settings: how the search runs.
        sampler: builds the sampler of new points.
        folder: where trials leave their files, each in the folder of its number.
        extend: adds parameters to a trial (`hydra.sweeper.custom_search_space`).
    """

    def __init__(
        self,
        address: StorageAddress,
        name: str,
        space: Space,
        settings: SearchSettings,
        sampler: SamplerFactory,
        folder: Path,
        extend: Extend | None = None,
    ) -> None:
        self.name, self.space, self.settings, self.folder = name, space, settings, folder
        self._address, self._sampler = address, sampler
        self._storage = address.open()
        self._lease_monitor = LeaseMonitor(settings.patience)
        self._point_sampler = PointSampler(space, settings, sampler, extend)

    # Beginning

    def begin(self, definition: Definition, first: Sequence[Point], force: bool = False) -> None:
        """Create the search if the storage has none of this name, and add the points that are to be tried first.

        Raises:
            UsageError: the storage has one of this name with another definition.
        """
        with self._lock():
            names = [summary.study_name for summary in optuna.get_all_study_summaries(self._storage)]
            if self.name in names:
                study = self.optuna_study
                stored = study.user_attrs.get(DEFINITION)
                if stored is not None and not force:
                    check_same(stored, definition, self.settings.may_differ, self.name)
                if stored != definition:
                    study.set_user_attr(DEFINITION, dict(definition))
            else:
                directions = [StudyDirection[direction.upper()] for direction in self.settings.directions]
                study = optuna.create_study(storage=self._storage, study_name=self.name, directions=directions)
                study.set_user_attr(SEARCH_ID, secrets.token_hex(4))
                study.set_user_attr(DEFINITION, dict(definition))
            # An earlier start may have added only some: its process died here, or its total was smaller.
            for point in first[len(study.trials) : self.settings.n_trials]:
                study.add_trial(self.space.waiting_trial(point))

    def add(self, points: Sequence[Point]) -> None:
        """Add a waiting trial for each of these points that has no trial yet, whatever the total."""
        with self._lock():
            tried = {point_key(trial.params) for trial in self.trials()}
            for point in points:
                if point_key(point) not in tried:
                    self.optuna_study.add_trial(self.space.waiting_trial(point))

    # A trial's way from its claim to its outcome

    def claim(self) -> Claim | None:
        """Claim a trial: a waiting one if there is any, preferably one whose files are here; else a new one.

        Returns:
            The claim; None if there is nothing to do now.
        """
        with self._lock() as confirm_lock:
            self._requeue_abandoned(confirm_lock)
            trials = self.trials()
            waiting = startable(trials, self.settings)
            if waiting:
                trial = min(waiting, key=lambda trial: (not (self.folder / str(trial.number)).exists(), trial.number))
                confirm_lock()
                self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
                lease = Lease.read(trial.system_attrs)
                return self._lease(trial, 0 if lease is None else lease.deaths, trials)
            if not self._starts_new_trials(trials):
                return None
            confirm_lock()
            trial_id = self._storage.create_new_trial(self._study_id)
            return self._lease(self._storage.get_trial(trial_id), 0, trials)

    def _starts_new_trials(self, trials: Sequence[FrozenTrial]) -> bool:
        return not self._point_sampler.enough(trials) and not too_many_failed(trials, self.settings)

    def _lease(self, trial: FrozenTrial, deaths: int, others: Sequence[FrozenTrial]) -> Claim:
        """Store a new lease of this process for a running trial, and give the trial the parameters that it lacks."""
        folder = self.folder / str(trial.number)
        lease = Lease.new(deaths, folder)
        assert lease.token is not None
        self._storage.set_trial_system_attr(trial._trial_id, LEASE_ATTRIBUTE, lease.stored())
        point = self._point_sampler.assign(trial, others, self._storage, lambda: self.scored_study)
        return Claim(trial.number, trial._trial_id, point, lease.token, folder)

    def beat(self, claim: Claim, progress: str) -> None:
        """Store a heartbeat of a claimed trial.

        It takes no lock, because all other processes would wait for a process that is stopped while it holds one. Only
        an attribute of this claim is written, so it does not matter what happens between the read and the write.

        Args:
            claim: of the trial.
            progress: how far the trial is, as text.

        Raises:
            LeaseLost: this process has lost the trial.
        """
        name, heartbeat = self._held_lease(claim).after_heartbeat(progress).heartbeat_attribute
        try:
            self._storage.set_trial_system_attr(claim.trial_id, name, heartbeat)
        except optuna.exceptions.UpdateFinishedTrialError:  # another process has ended it meanwhile
            raise LeaseLost(claim.number) from None

    def _held_lease(self, claim: Claim) -> Lease:
        """The lease of a claim.

        Raises:
            LeaseLost: the trial has another lease, or does not run any more.
        """
        trial = self._storage.get_trial(claim.trial_id)
        lease = Lease.read(trial.system_attrs)
        if lease is None or lease.token != claim.token or trial.state != TrialState.RUNNING:
            raise LeaseLost(claim.number)
        return lease

    def tell(self, claim: Claim, outcome: TrialOutcome) -> None:
        """Store the outcome of a claimed trial, which ends it.

        Raises:
            LeaseLost: this process has lost the trial; nothing is changed.
        """
        with self._lock() as confirm_lock:
            study = self.scored_study
            study.sampler = self._sampler(None)
            self._held_lease(claim)
            confirm_lock()
            self._storage.set_trial_user_attr(claim.trial_id, OUTCOME, outcome.attribute)
            if outcome.constraints:
                trial = optuna.trial.Trial(study, claim.trial_id)
                for name, value in outcome.constraints.items():
                    trial.set_constraint(name, math.inf if math.isnan(value) else value)
            state = outcome.optuna_state
            values = list(outcome.values) if outcome.values and state == TrialState.COMPLETE else None
            if state == TrialState.PRUNED and outcome.values:
                iterations = int(outcome.details.get("iterations", 0))
                store_score(self._storage, claim.trial_id, iterations, outcome.values[0])
            try:
                study.tell(claim.number, values, state=state)
            except RuntimeError as error:  # exhaustive samplers stop Optuna's optimisation loop, which is not running
                if "Study.stop" not in str(error):
                    raise

    def requeue(self, claim: Claim, died: bool = False) -> None:
        """Re-queue a claimed trial: the next process that claims it continues from its files.

        Args:
            claim: of the trial; nothing is changed if this process has lost it.
            died: whether to count this as the death of the trial's process.
        """
        with self._lock() as confirm_lock:
            try:
                self._held_lease(claim)
            except LeaseLost:
                return
            trial = self._storage.get_trial(claim.trial_id)
            requeue_trial(self._storage, trial, confirm_lock, self.settings.max_retries, died)

    def recover(self) -> None:
        """Re-queue the trials of dead processes."""
        with self._lock() as confirm_lock:
            self._requeue_abandoned(confirm_lock)

    def _requeue_abandoned(self, confirm_lock: Callable[[], object]) -> None:
        for trial in filter(self._abandoned, self.trials()):
            requeue_trial(self._storage, trial, confirm_lock, self.settings.max_retries)

    def _abandoned(self, trial: FrozenTrial) -> bool:
        return trial.state == TrialState.RUNNING and self._lease_monitor.expired(Lease.read(trial.system_attrs))

    # Reading

    def trials(self) -> list[FrozenTrial]:
        """All trials, in order of their numbers; callers must not change them."""
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    def state(self) -> SearchState:
        """The search as it is now."""
        return SearchState.of(self.name, self.settings.n_trials, self.settings.directions, self.trials())

    @property
    def finished(self) -> bool:
        """Whether all trials have ended and the search starts no new ones."""
        trials = self.trials()
        return all(trial.state.is_finished() for trial in trials) and not self._starts_new_trials(trials)

    @property
    def claimable(self) -> bool:
        """Whether a claim would succeed now."""
        trials = self.trials()
        if startable(trials, self.settings) or any(map(self._abandoned, trials)):
            return True
        return self._starts_new_trials(trials)

    @property
    def ended_and_deaths(self) -> int:
        """The number of trials that have ended plus that of processes that died on one; both are bounded."""
        trials = self.trials()
        leases = [Lease.read(trial.system_attrs) for trial in trials]
        deaths = sum(lease.deaths for lease in leases if lease is not None)
        return deaths + sum(trial.state.is_finished() for trial in trials)

    @property
    def search_id(self) -> str:
        """A random id, made when the search was created: tells it from other searches of the same name."""
        return str(self._storage.get_study_user_attrs(self._study_id)[SEARCH_ID])

    @property
    def optuna_study(self) -> optuna.Study:
        """The search as an Optuna study; loaded at each access, since a loaded one caches what it has read."""
        return optuna.load_study(study_name=self.name, storage=self._storage)

    @property
    def scored_study(self) -> ScoredStudy:
        """The search as samplers see it; loaded at each access."""
        return ScoredStudy(self.name, self._storage)

    @property
    def storage(self) -> BaseStorage:
        """The open storage."""
        return self._storage

    # Stopping

    def request_stop(self, controller: str) -> None:
        """Ask all workers that this controller started to save their trials and stop."""
        self._storage.set_study_user_attr(self._study_id, f"{STOP}:{controller}", True)

    def stop_requested(self, controller: str) -> bool:
        """Whether the workers of this controller were asked to stop."""
        return bool(self._storage.get_study_user_attrs(self._study_id).get(f"{STOP}:{controller}"))

    @cached_property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self.name)

    def _lock(self) -> AbstractContextManager[Callable[[], object]]:
        return self._address.exclusive(self.name)
