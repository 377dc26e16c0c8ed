"""Reads recorded searches, and computes what a report shows of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from badger_sweeps.reporting.reading.search_storage import CONFIRMATION, SearchLocation
from badger_sweeps.search.confirmation import CONFIRM_KEY, confirmation_overrides
from badger_sweeps.search.racing import Race
from badger_sweeps.search.search import DEFINITION
from badger_sweeps.search.state import SearchState, TrialRecord
from badger_sweeps.search.trial_outcome import OUTCOME, TrialStatus
from badger_sweeps.statistics.estimates import Estimate, PairedDifference, mean, paired_difference


@dataclass(frozen=True)
class RecordedSearch:
    """A search as its files recorded it at one moment.

    Attributes:
        folder: the search's folder.
        state: its trials.
        optuna_study: its trials in memory, for Optuna's functions.
        front: numbers of the trials on the Pareto front; empty with a single objective.
        confirmation: the trials of the confirmation, on fresh seeds; None before it has begun.
        fresh_overrides: the overrides of the confirmation's trials.
        objectives: the names of the objectives, one for each direction.
        budget: iterations of a trial; None in applications without iterations.
        race: how trials add seeds; None if they train all seeds at once.
    """

    folder: Path
    state: SearchState
    optuna_study: optuna.Study
    front: tuple[int, ...]
    confirmation: SearchState | None
    fresh_overrides: tuple[str, ...]
    objectives: tuple[str, ...]
    budget: int | None
    race: Race | None

    @property
    def first(self) -> TrialRecord | None:
        """The first trial, with which the others are compared."""
        return self.state.trials[0] if self.state.trials else None

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values of the first objective are better."""
        return self.state.directions[0] == "minimize"

    @property
    def best_is_first(self) -> bool:
        """Whether the best trial has the first trial's parameters."""
        first, best = self.first, self.state.best
        return first is not None and best is not None and first.params == best.params

    @property
    def pair(self) -> Pair | None:
        """The confirmed pair of trials; None if the confirmation does not have both."""
        trials = self.confirmation.trials if self.confirmation is not None else ()
        best = self.state.best
        if len(trials) < 2 or best is None:
            return None
        fresh = next((trial for trial in trials[1:] if trial.params == best.params), trials[-1])
        searched = next((trial for trial in self.state.complete if trial.params == fresh.params), None)
        return None if searched is None else Pair(trials[0], fresh, searched)


@dataclass(frozen=True)
class Pair:
    """The first trial's configuration and the best one on fresh seeds.

    Attributes:
        first: the confirmation's trial with the first trial's parameters.
        best: the confirmation's trial with the best trial's parameters.
        searched: the search's trial with the parameters of `best`. It is no longer the best trial if the search has
            found a better one since.
    """

    first: TrialRecord
    best: TrialRecord
    searched: TrialRecord


def read(location: SearchLocation) -> RecordedSearch:
    """Read a search.

    Raises:
        UnreadableError: its storage does not exist or does not answer.
    """
    storage, name = location.open()
    stored = optuna.load_study(study_name=name, storage=storage)
    directions = [direction.name.lower() for direction in stored.directions]
    trials = stored.get_trials(deepcopy=False)
    copy = optuna.create_study(directions=stored.directions)  # it stays as it is while the search continues
    copy.add_trials(trials)
    total = location.get("hydra.sweeper.n_trials")
    confirmation, fresh_overrides = _confirmation(storage, name, location)
    several, start = len(directions) > 1, _whole(location.get("hydra.sweeper.racing.start"))
    return RecordedSearch(
        folder=location.folder,
        state=SearchState.of(name, total if isinstance(total, int) else len(trials), directions, trials),
        optuna_study=copy,
        front=tuple(trial.number for trial in copy.best_trials) if several else (),
        confirmation=confirmation,
        fresh_overrides=fresh_overrides,
        objectives=_objectives(location.get("objective"), trials, len(directions)),
        budget=_whole(location.get("training.iterations")),
        race=None if start is None else Race(start=start),
    )


@dataclass(frozen=True)
class Effort:
    """The cost of a search, in iterations of all of a trial's seeds; failed and unfinished trials do not count.

    Attributes:
        trained: iterations that were done.
        saved: iterations that pruned trials did not do.
    """

    trained: float
    saved: float


def effort(search: RecordedSearch) -> Effort | None:
    """The cost of a search; None in applications whose outcomes have no iterations."""
    counted = [trial for trial in search.state.ended if "iterations" in trial.details]
    if not counted or search.budget is None:
        return None
    seeds = max(trial.details.get("seeds", 1) for trial in counted)
    trained = saved = 0.0
    for trial in counted:
        budget = _whole(trial.params.get("training.iterations")) or search.budget
        done = _iterations(trial, seeds, budget, search.race)
        trained += done
        saved += budget - done if trial.status == TrialStatus.PRUNED else 0
    return Effort(trained, saved)


@dataclass(frozen=True)
class Comparison:
    """The comparison of the first and the best configuration on the seeds that both were trained on.

    Attributes:
        first: mean of the first over these seeds.
        best: mean of the best over these seeds.
        difference: best - first, paired by seed.
    """

    first: Estimate
    best: Estimate
    difference: PairedDifference


def compare_trials(first: TrialRecord, best: TrialRecord, excluded: Collection[str] = ()) -> Comparison | None:
    """Compare two trials seed by seed; None if they share no seed, or are not complete.

    Args:
        first: the first trial, or its configuration on fresh seeds.
        best: the best trial, or its configuration on fresh seeds.
        excluded: seeds to leave out.
    """
    by_seed = [trial.details.get("per_seed", {}) for trial in (first, best)]
    shared = [seed for seed in by_seed[0] if seed in by_seed[1] and seed not in excluded]
    if not shared:
        return None
    of_first, of_best = ([values[seed] for seed in shared] for values in by_seed)
    return Comparison(mean(of_first), mean(of_best), paired_difference(of_first, of_best))


def searched_seeds(search: RecordedSearch) -> set[str]:
    """The seeds on which the search trained its complete trials."""
    return {seed for trial in search.state.complete for seed in trial.details.get("per_seed", {})}


def runs_in_report(search: RecordedSearch) -> dict[Path, str]:
    """The folders of the runs that a report shows in detail, with their labels."""
    shown: dict[Path, str] = {}
    first, best = search.first, search.state.best
    if first is None:
        return shown
    is_best = best is not None and best.number == first.number
    shown[search.folder / str(first.number)] = f"first{' and best' if is_best else ''} (trial {first.number})"
    if best is not None and not is_best:
        shown[search.folder / str(best.number)] = f"best (trial {best.number})"
    for position, direction in enumerate(search.state.directions if search.front else ()):
        front = [trial for trial in search.state.complete if trial.number in search.front]
        extreme, word = (min, "least") if direction == "minimize" else (max, "most")
        most = extreme(front, key=lambda trial, at=position: trial.values[at] if trial.values else 0.0)  # type: ignore[misc]
        path = search.folder / str(most.number)
        shown.setdefault(path, f"{word} {search.objectives[position]} (trial {most.number})")
    if search.confirmation is not None and search.confirmation.trials:
        folder, pair = search.folder / CONFIRMATION, search.pair
        shown[folder / "0"] = f"first{' and best' if is_best and pair is None else ''} on fresh seeds"
        if pair is not None:
            name = (
                "best" if best is not None and pair.searched.number == best.number else f"trial {pair.searched.number}"
            )
            shown[folder / str(pair.best.number)] = f"{name} on fresh seeds"
    return shown


def belongs(run: Path, folder: Path) -> bool:
    """Whether a run is a trial of the search in `folder` or of its confirmation."""
    return run.name.isdigit() and run.parent in (folder, folder / CONFIRMATION)


def _iterations(trial: TrialRecord, seeds: int, budget: int, race: Race | None) -> float:
    """Iterations of all seeds that a trial has done; some seeds of a trial that was pruned in a race have done none."""
    last, begun = trial.details["iterations"], trial.details.get("seeds", seeds)
    if race is None or trial.status != TrialStatus.PRUNED:
        return float(last)
    before = 0  # seeds of earlier stages, which have done the whole budget
    for stage in race.stages(range(seeds)):
        if before + len(stage) >= begun:
            break
        before += len(stage)
    return float(before * budget + (begun - before) * last) / seeds


def _confirmation(
    storage: BaseStorage, name: str, location: SearchLocation
) -> tuple[SearchState | None, tuple[str, ...]]:
    configured = tuple(str(override) for override in location.get(CONFIRM_KEY) or ())
    name = f"{name} {CONFIRMATION}"
    if name not in {study.study_name for study in storage.get_all_studies()}:
        return None, configured
    study = optuna.load_study(study_name=name, storage=storage)
    trials = study.get_trials(deepcopy=False)
    stored = confirmation_overrides(study.user_attrs.get(DEFINITION, {}))
    directions = [direction.name.lower() for direction in study.directions]
    return SearchState.of(name, len(trials), directions, trials), configured if stored is None else stored


def _objectives(configured: Any, trials: list[FrozenTrial], count: int) -> tuple[str, ...]:
    stored = [trial.user_attrs.get(OUTCOME, {}).get("objectives") for trial in trials]
    names = next(filter(None, stored), None)
    if names is None:
        names = list(configured) if OmegaConf.is_list(configured) else [configured]
    if len(names) == count and all(isinstance(name, str) for name in names):
        return tuple(names)
    return ("value",) if count == 1 else tuple(f"value {number}" for number in range(1, count + 1))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parameter_names(search: RecordedSearch) -> list[str]:
    """The names of all parameters, in the order of their first use in a trial."""
    names: Mapping[str, None] = dict.fromkeys(name for trial in search.state.trials for name in trial.params)
    return list(names)
