"""One study that any number of processes share: claims are made one at a time, and every trial is accounted for."""

from __future__ import annotations

import math
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from badger_sweeps.search.definition import Definition, difference, without
from badger_sweeps.search.leases import ATTRIBUTE, Lease, Watch
from badger_sweeps.search.sampling import ATTEMPTS, Sampler, draw, key, seed_of
from badger_sweeps.search.scores import ScoredStudy, keep_score
from badger_sweeps.search.space import Point, Space
from badger_sweeps.search.storage import Place
from badger_sweeps.search.trial_outcome import OUTCOME, Outcome, State

DEFINITION = "badger:definition"
IDENTITY = "badger:id"
STOP = "badger:stop"

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class LeaseLost(Exception):
    """Another process has taken this trial over, since this one seemed dead."""


@dataclass(frozen=True)
class Settings:
    """How a study is searched; none of it changes what a trial computes.

    Attributes:
        n_trials: the total, over all starts and all processes.
        directions: ``minimize`` or ``maximize``, one for each objective.
        seed: of all draws; None for draws that differ from start to start.
        grid: whether to try all points in order.
        max_retries: how often a trial is begun again whose process died.
        heartbeat: seconds between signs of life.
        patience: seconds without one, after which a process on another machine is taken for dead.
        max_failure_rate: share of failed trials above which no further one is begun.
        may_differ: keys of a definition that do not decide a result: processes on the study may disagree in them.
    """

    n_trials: int
    directions: tuple[str, ...] = ("minimize",)
    seed: int | None = 0
    grid: bool = False
    max_retries: int = 3
    heartbeat: float = 10.0
    patience: float = 120.0
    max_failure_rate: float = 1.0
    may_differ: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A trial that is this process's to work on.

    Attributes:
        number: the trial's.
        trial_id: Optuna's name for it.
        params: its parameters.
        token: of its lease.
        folder: where its files go.
    """

    number: int
    trial_id: int
    params: Mapping[str, Any]
    token: str
    folder: Path


class Study:
    """A study in a storage.

    Every claim, and every word on how a trial ended, is made while its process holds the study alone; so the total is
    exact, no point is drawn twice, and a trial whose process died goes back to the others with the parameters it had.

    Args:
        place: where the study is kept.
        name: its name there.
        space: what is searched.
        settings: how.
        sampler: builds what draws new points.
        folder: where trials leave their files, each in the folder of its number.
        extend: adds parameters to a trial (`hydra.sweeper.custom_search_space`).
    """

    def __init__(
        self,
        place: Place,
        name: str,
        space: Space,
        settings: Settings,
        sampler: Sampler,
        folder: Path,
        extend: Callable[[optuna.trial.Trial], None] | None = None,
    ) -> None:
        self.name, self.space, self.settings, self.folder = name, space, settings, folder
        self._place, self._sampler, self._extend = place, sampler, extend
        self._storage = place.open()
        self._watch = Watch(settings.patience)
        self._keys: list[object] = []

    def begin(self, definition: Definition, first: Sequence[Point], force: bool = False) -> None:
        """Make the study where it is not there yet, with the points that are to be tried first.

        Raises:
            UsageError: it is there, and its definition is another one.
        """
        with self._alone():
            names = [summary.study_name for summary in optuna.get_all_study_summaries(self._storage)]
            if self.name in names:
                study = self.optuna
                stored = study.user_attrs.get(DEFINITION)
                # A study of an earlier start may still have a key that may differ by now.
                kept = None if stored is None or force else without(stored, self.settings.may_differ)
                refused = None if kept is None else difference(kept, definition, self.name)
                if refused is not None:
                    raise refused
                if stored != definition:
                    study.set_user_attr(DEFINITION, dict(definition))
            else:
                directions = [StudyDirection[own.upper()] for own in self.settings.directions]
                study = optuna.create_study(storage=self._storage, study_name=self.name, directions=directions)
                study.set_user_attr(IDENTITY, secrets.token_hex(4))
                study.set_user_attr(DEFINITION, dict(definition))
            # Also what a process that died here had left out, and what a smaller total did.
            for point in first[len(study.trials) : self.settings.n_trials]:
                self._add(point)

    def add(self, points: Sequence[Point]) -> None:
        """Have these points tried, beside those that were: each once, whatever the total."""
        with self._alone():
            tried = {key(trial.params) for trial in self.trials()}
            for point in points:
                if key(point) not in tried:
                    self._add(point)

    def claim(self) -> Claim | None:
        """A trial to work on: one that waits, rather one whose files are here; else a new one. None: nothing to do."""
        with self._alone() as still:
            self._put_back_abandoned(still)
            trials = self.trials()
            waiting = self._startable(trials)
            if waiting:
                trial = min(waiting, key=lambda own: (not (self.folder / str(own.number)).exists(), own.number))
                still()
                self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
                lease = Lease.read(trial.system_attrs)
                return self._take(trial, 0 if lease is None else lease.deaths, trials)
            if self._complete(trials) or self._given_up(trials):
                return None
            still()
            trial_id = self._storage.create_new_trial(self._study_id)
            return self._take(self._storage.get_trial(trial_id), 0, trials)

    def beat(self, claim: Claim, progress: str) -> None:
        """A sign of life.

        It takes no lock, on which a process that is stopped would let all others wait: whatever happens between reading
        and writing, only what belongs to this claim is written.

        Raises:
            LeaseLost: the trial is not this process's any more.
        """
        name, beats = self._held(claim).beaten(progress).beats
        try:
            self._storage.set_trial_system_attr(claim.trial_id, name, beats)
        except optuna.exceptions.UpdateFinishedTrialError:  # another process has ended it meanwhile
            raise LeaseLost(claim.number) from None

    def tell(self, claim: Claim, outcome: Outcome) -> None:
        """Say how a trial ended.

        Raises:
            LeaseLost: the trial is not this process's any more; nothing is changed.
        """
        with self._alone() as still:
            study = self.scored
            study.sampler = self._sampler(None)
            self._held(claim)
            still()
            told = {"state": str(outcome.state), "reason": outcome.reason, **outcome.details}
            self._storage.set_trial_user_attr(claim.trial_id, OUTCOME, told)
            if outcome.constraints:
                trial = optuna.trial.Trial(study, claim.trial_id)
                for name, value in outcome.constraints.items():
                    trial.set_constraint(name, math.inf if math.isnan(value) else value)
            state = {State.PRUNED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}.get(
                outcome.state, TrialState.COMPLETE if outcome.values else TrialState.FAIL
            )
            values = list(outcome.values) if outcome.values and state == TrialState.COMPLETE else None
            if state == TrialState.PRUNED and outcome.values:
                iterations = int(outcome.details.get("iterations", 0))
                keep_score(self._storage, claim.trial_id, iterations, outcome.values[0])
            try:
                study.tell(claim.number, values, state=state)
            except RuntimeError as error:  # exhaustive samplers stop an optimisation loop, which there is not
                if "Study.stop" not in str(error):
                    raise

    def put_back(self, claim: Claim, died: bool = False) -> None:
        """Leave a trial to whoever claims it next; it goes on from its files."""
        with self._alone() as still:
            try:
                self._held(claim)
            except LeaseLost:
                return
            self._requeue(self._storage.get_trial(claim.trial_id), still, died)

    def recover(self) -> None:
        """Put back the trials of dead processes."""
        with self._alone() as still:
            self._put_back_abandoned(still)

    def trials(self) -> list[FrozenTrial]:
        """All trials, in order of their numbers; not to be changed."""
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    @property
    def finished(self) -> bool:
        """Whether all trials have ended, and no new one is to be begun."""
        trials = self.trials()
        return all(trial.state.is_finished() for trial in trials) and (self._complete(trials) or self._given_up(trials))

    @property
    def progress(self) -> int:
        """Trials that have ended and processes that have died on one, of which there can only be so many."""
        trials = self.trials()
        leases = [Lease.read(trial.system_attrs) for trial in trials]
        deaths = sum(lease.deaths for lease in leases if lease is not None)
        return deaths + sum(trial.state.is_finished() for trial in trials)

    @property
    def claimable(self) -> bool:
        """Whether a claim would find something now."""
        trials = self.trials()
        if self._startable(trials) or any(map(self._abandoned, trials)):
            return True
        return not self._complete(trials) and not self._given_up(trials)

    @property
    def identity(self) -> str:
        """Drawn when the study was made: tells it from all others of its name."""
        return str(self._storage.get_study_user_attrs(self._study_id)[IDENTITY])

    @property
    def optuna(self) -> optuna.Study:
        """The study as Optuna sees it, anew, since it keeps what it has read."""
        return optuna.load_study(study_name=self.name, storage=self._storage)

    @property
    def scored(self) -> ScoredStudy:
        """The study as samplers see it, anew."""
        return ScoredStudy(self.name, self._storage)

    @property
    def storage(self) -> BaseStorage:
        """What the study is kept in."""
        return self._storage

    def request_stop(self, who: str) -> None:
        """Ask all workers that were started by `who` to stop in good order."""
        self._storage.set_study_user_attr(self._study_id, f"{STOP}:{who}", True)

    def asked_to_stop(self, who: str) -> bool:
        """Whether they were asked."""
        return bool(self._storage.get_study_user_attrs(self._study_id).get(f"{STOP}:{who}"))

    @cached_property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self.name)

    def _add(self, point: Point) -> None:
        """A waiting trial; what the space does not declare (`custom_search_space`) can only be what it is."""
        declared = self.space.distributions
        own = {name: declared.get(name, CategoricalDistribution([value])) for name, value in point.items()}
        self.optuna.add_trial(create_trial(state=TrialState.WAITING, params=dict(point), distributions=own))

    def _alone(self) -> AbstractContextManager[Callable[[], object]]:
        return self._place.exclusive(self.name)

    def _held(self, claim: Claim) -> Lease:
        trial = self._storage.get_trial(claim.trial_id)
        lease = Lease.read(trial.system_attrs)
        if lease is None or lease.token != claim.token or trial.state != TrialState.RUNNING:
            raise LeaseLost(claim.number)
        return lease

    def _startable(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The waiting trials that may be begun now.

        Launchers such as joblib's end all workers when one of them dies. A trial that kills its process would so take
        those beside it along until they have no retries left either. So of the trials that have died all but too often
        a machine works on one at a time.
        """
        waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
        if not any(map(self._dies_often, waiting)):
            return waiting
        running = [trial for trial in trials if trial.state == TrialState.RUNNING and self._dies_often(trial)]
        leases = [Lease.read(trial.system_attrs) for trial in running]
        if not any(lease is not None and lease.owner.alive for lease in leases):
            return waiting
        return [trial for trial in waiting if not self._dies_often(trial)]

    def _dies_often(self, trial: FrozenTrial) -> bool:
        lease = Lease.read(trial.system_attrs)
        return lease is not None and lease.deaths >= max(1, self.settings.max_retries - 1)

    def _abandoned(self, trial: FrozenTrial) -> bool:
        return trial.state == TrialState.RUNNING and self._watch.dead(Lease.read(trial.system_attrs))

    def _put_back_abandoned(self, still: Callable[[], object]) -> None:
        for trial in filter(self._abandoned, self.trials()):
            self._requeue(trial, still)

    def _requeue(self, trial: FrozenTrial, still: Callable[[], object], died: bool = True) -> None:
        """Back to waiting, in its place and with its parameters; or failed, after too many deaths."""
        lease = Lease.read(trial.system_attrs)
        still()
        if lease is not None:
            # A lease that is released already was so by one that died here: that death is counted.
            lease = lease.released(died and lease.token is not None)
            self._storage.set_trial_system_attr(trial._trial_id, ATTRIBUTE, lease.stored())
        if lease is not None and lease.deaths > self.settings.max_retries:
            reason = f"its process died {lease.deaths} times"
            outcome = {"state": str(State.FAILED), "reason": reason}
            self._storage.set_trial_user_attr(trial._trial_id, OUTCOME, outcome)
            self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            return
        outcome = {"state": str(State.INTERRUPTED), "reason": ""}
        self._storage.set_trial_user_attr(trial._trial_id, OUTCOME, outcome)
        self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def _take(self, trial: FrozenTrial, deaths: int, others: Sequence[FrozenTrial]) -> Claim:
        """Lease a running trial, and give it the parameters that it lacks."""
        folder = self.folder / str(trial.number)
        lease = Lease.new(deaths, folder)
        assert lease.token is not None
        self._storage.set_trial_system_attr(trial._trial_id, ATTRIBUTE, lease.stored())
        point = self._point(trial, others)
        for name, value in point.items():
            if name not in trial.params:
                self._set(trial._trial_id, name, value, self.space.distributions[name])
        if self._extend is not None:
            study, seed = self.scored, self.settings.seed
            study.sampler = self._sampler(None if seed is None else seed_of(seed, trial.number, 2 * ATTEMPTS))
            self._extend(optuna.trial.Trial(study, trial._trial_id))
            point = self._storage.get_trial(trial._trial_id).params
        return Claim(trial.number, trial._trial_id, point, lease.token, folder)

    def _point(self, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Point:
        if self._has_all(trial):
            return trial.params
        taken = self._taken(others)
        if self._in_order:
            for point in self.space.points():
                if key(point) not in taken and trial.params.items() <= point.items():
                    return point
        study, bare = self.scored, copy(trial)
        bare.params = {}
        for begun in (bare, trial):  # what a claimer drew that died before it had all is drawn again, if it can be
            point = draw(study, begun, self.space, self._sampler, self.settings.seed, taken)
            if trial.params.items() <= point.items():
                break
        return point

    def _taken(self, trials: Sequence[FrozenTrial]) -> set[object]:
        """The keys of the points tried or being tried."""
        for trial in trials[len(self._keys) :]:
            if not trial.state.is_finished():
                break
            self._keys.append(key(trial.params))  # will not change any more
        return {*self._keys, *(key(trial.params) for trial in trials[len(self._keys) :])}

    def _has_all(self, trial: FrozenTrial) -> bool:
        chosen: dict[str, Any] = {}
        for name in self.space.distributions:
            if self.space.applies(name, chosen):
                if name not in trial.params:
                    return False
                chosen[name] = trial.params[name]
        return True

    def _set(self, trial_id: int, name: str, value: Any, distribution: BaseDistribution) -> None:
        self._storage.set_trial_param(trial_id, name, distribution.to_internal_repr(value), distribution)

    @property
    def _in_order(self) -> bool:
        """Whether all points are tried in order: where that is asked for, or no search could leave one out."""
        return self._extend is None and (self.settings.grid or self.space.smaller_than(self.settings.n_trials))

    def _complete(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether there are as many trials as are wanted, or as there are points."""
        if len(trials) >= self.settings.n_trials:
            return True
        if self._extend is not None or not self.space.smaller_than(max(self.settings.n_trials, len(trials))):
            return False
        taken = self._taken(trials)
        return all(key(point) in taken for point in self.space.points())

    def _given_up(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether more trials have failed than may."""
        if self.settings.max_failure_rate >= 1:
            return False
        ended = [trial for trial in trials if trial.state.is_finished()]
        failed = sum(trial.state == TrialState.FAIL for trial in ended)
        return bool(ended) and failed / len(ended) > self.settings.max_failure_rate
