"""Read a search's study, and compute what a report tells of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from badger_sweeps.measures.estimates import Estimate, PairedDifference, mean, paired_difference
from badger_sweeps.reporting.reading.search_storage import CONFIRMATION, SearchLocation
from badger_sweeps.search.confirmation import KEY, confirmation_overrides
from badger_sweeps.search.racing import Race
from badger_sweeps.search.snapshot import SearchSnapshot, TrialSnapshot
from badger_sweeps.search.study import DEFINITION
from badger_sweeps.search.trial_outcome import OUTCOME, TrialStatus


@dataclass(frozen=True)
class RecordedSearch:
    """A search as it was at one moment.

    Attributes:
        folder: where it lies.
        view: its trials.
        study: the same for Optuna's functions, in memory.
        front: numbers of the trials that none beats in all objectives.
        confirmation: the trials on fresh seeds; None before there are any.
        fresh: the overrides that these were given.
        objectives: what is searched for, one for each direction.
        budget: iterations of a trial; None in applications that have no such thing.
        race: how trials add seeds; None if they train all at once.
    """

    folder: Path
    view: SearchSnapshot
    study: optuna.Study
    front: tuple[int, ...]
    confirmation: SearchSnapshot | None
    fresh: tuple[str, ...]
    objectives: tuple[str, ...]
    budget: int | None
    race: Race | None

    @property
    def first(self) -> TrialSnapshot | None:
        """The trial that others are compared with."""
        return self.snapshot.trials[0] if self.snapshot.trials else None

    @property
    def lower_is_better(self) -> bool:
        """In the first objective."""
        return self.snapshot.directions[0] == "minimize"

    @property
    def same(self) -> bool:
        """Whether the best configuration is the first trial's."""
        first, best = self.first, self.snapshot.best
        return first is not None and best is not None and first.params == best.params

    @property
    def pair(self) -> Pair | None:
        """The best configuration and the first trial's on fresh seeds; None unless both were to be run."""
        trials = self.confirmation.trials if self.confirmation is not None else ()
        best = self.snapshot.best
        if len(trials) < 2 or best is None:
            return None
        fresh = next((trial for trial in trials[1:] if trial.params == best.params), trials[-1])
        searched = next((trial for trial in self.snapshot.complete if trial.params == fresh.params), None)
        return None if searched is None else Pair(trials[0], fresh, searched)


@dataclass(frozen=True)
class Pair:
    """What was confirmed.

    Attributes:
        first: the first trial's configuration on fresh seeds.
        best: the best one's.
        searched: the search's trial with the configuration of `best`: not the best one any more where trials were added
            to the search since.
    """

    first: TrialSnapshot
    best: TrialSnapshot
    searched: TrialSnapshot


def read(source: SearchLocation) -> RecordedSearch:
    """Read a search.

    Raises:
        UnreadableError: its study is not there or does not answer.
    """
    storage, name = source.open()
    stored = optuna.load_study(study_name=name, storage=storage)
    directions = [direction.name.lower() for direction in stored.directions]
    trials = stored.get_trials(deepcopy=False)
    copy = optuna.create_study(directions=stored.directions)  # a running search is the same for all that reads it here
    copy.add_trials(trials)
    total = source.get("hydra.sweeper.n_trials")
    confirmation, fresh = _confirmation(storage, name, source)
    many, start = len(directions) > 1, _whole(source.get("hydra.sweeper.racing.start"))
    return RecordedSearch(
        folder=source.folder,
        view=SearchSnapshot.of(name, total if isinstance(total, int) else len(trials), directions, trials),
        study=copy,
        front=tuple(trial.number for trial in copy.best_trials) if many else (),
        confirmation=confirmation,
        fresh=fresh,
        objectives=_objectives(source.get("objective"), trials, len(directions)),
        budget=_whole(source.get("training.iterations")),
        race=None if start is None else Race(start=start),
    )


@dataclass(frozen=True)
class Effort:
    """What a search has cost: iterations of all of a trial's seeds, of trials that completed, diverged or were pruned.

    Attributes:
        trained: that were done.
        saved: that were not, since their trials were pruned.
    """

    trained: float
    saved: float


def effort(sweep: RecordedSearch) -> Effort | None:
    """None in applications whose trials do not tell of iterations."""
    told = [trial for trial in sweep.snapshot.ended if "iterations" in trial.details]
    if not told or sweep.budget is None:
        return None
    seeds = max(trial.details.get("seeds", 1) for trial in told)
    trained = saved = 0.0
    for trial in told:
        budget = _whole(trial.params.get("training.iterations")) or sweep.budget
        done = _iterations(trial, seeds, budget, sweep.race)
        trained += done
        saved += budget - done if trial.state == TrialStatus.PRUNED else 0
    return Effort(trained, saved)


@dataclass(frozen=True)
class Comparison:
    """The first trial's configuration and the best one's on seeds that both were trained on.

    Attributes:
        first: the mean of the first.
        best: the mean of the best.
        difference: best - first, paired by seed.
    """

    first: Estimate
    best: Estimate
    difference: PairedDifference


def compare(first: TrialSnapshot, best: TrialSnapshot, seen: Collection[str] = ()) -> Comparison | None:
    """Compare two trials seed by seed; None if they share no seed, or are not complete.

    Args:
        first: one.
        best: the other.
        seen: seeds to leave out.
    """
    by_seed = [trial.details.get("per_seed", {}) for trial in (first, best)]
    shared = [seed for seed in by_seed[0] if seed in by_seed[1] and seed not in seen]
    if not shared:
        return None
    own, other = ([values[seed] for seed in shared] for values in by_seed)
    return Comparison(mean(own), mean(other), paired_difference(own, other))


def searched_seeds(sweep: RecordedSearch) -> set[str]:
    """The seeds that the search was made on."""
    return {seed for trial in sweep.snapshot.complete for seed in trial.details.get("per_seed", {})}


def runs_in_report(sweep: RecordedSearch) -> dict[Path, str]:
    """The folders of the runs that are worth a closer look, with what they are called."""
    shown: dict[Path, str] = {}
    first, best = sweep.first, sweep.snapshot.best
    if first is None:
        return shown
    alone = best is not None and best.number == first.number
    shown[sweep.folder / str(first.number)] = f"first{' and best' if alone else ''} (trial {first.number})"
    if best is not None and not alone:
        shown[sweep.folder / str(best.number)] = f"best (trial {best.number})"
    for position, direction in enumerate(sweep.snapshot.directions if sweep.front else ()):
        front = [trial for trial in sweep.snapshot.complete if trial.number in sweep.front]
        extreme, word = (min, "least") if direction == "minimize" else (max, "most")
        most = extreme(front, key=lambda own, at=position: own.values[at] if own.values else 0.0)  # type: ignore[misc]
        path = sweep.folder / str(most.number)
        shown.setdefault(path, f"{word} {sweep.objectives[position]} (trial {most.number})")
    if sweep.confirmation is not None and sweep.confirmation.trials:
        folder, pair = sweep.folder / CONFIRMATION, sweep.pair
        shown[folder / "0"] = f"first{' and best' if alone and pair is None else ''} on fresh seeds"
        if pair is not None:
            name = (
                "best" if best is not None and pair.searched.number == best.number else f"trial {pair.searched.number}"
            )
            shown[folder / str(pair.best.number)] = f"{name} on fresh seeds"
    return shown


def belongs(run: Path, folder: Path) -> bool:
    """Whether a run is a trial of the search in `folder`, or of its confirmation."""
    return run.name.isdigit() and run.parent in (folder, folder / CONFIRMATION)


def _iterations(trial: TrialSnapshot, seeds: int, budget: int, race: Race | None) -> float:
    """Iterations done, each of all seeds: of a trial that was pruned in a race, some seeds have done none."""
    last, begun = trial.details["iterations"], trial.details.get("seeds", seeds)
    if race is None or trial.state != TrialStatus.PRUNED:
        return float(last)
    before = 0  # seeds of earlier stages, which have done all
    for stage in race.stages(range(seeds)):
        if before + len(stage) >= begun:
            break
        before += len(stage)
    return float(before * budget + (begun - before) * last) / seeds


def _confirmation(storage: BaseStorage, name: str, source: SearchLocation) -> tuple[SearchSnapshot | None, tuple[str, ...]]:
    wanted = tuple(str(own) for own in source.get(KEY) or ())
    name = f"{name} {CONFIRMATION}"
    if name not in {study.study_name for study in storage.get_all_studies()}:
        return None, wanted
    study = optuna.load_study(study_name=name, storage=storage)
    trials = study.get_trials(deepcopy=False)
    given = confirmation_overrides(study.user_attrs.get(DEFINITION, {}))
    directions = [direction.name.lower() for direction in study.directions]
    return SearchSnapshot.of(name, len(trials), directions, trials), wanted if given is None else given


def _objectives(configured: Any, trials: list[FrozenTrial], count: int) -> tuple[str, ...]:
    told = [trial.user_attrs.get(OUTCOME, {}).get("objectives") for trial in trials]
    known = next(filter(None, told), None)
    if known is None:
        known = list(configured) if OmegaConf.is_list(configured) else [configured]
    if len(known) == count and all(isinstance(name, str) for name in known):
        return tuple(known)
    return ("value",) if count == 1 else tuple(f"value {number}" for number in range(1, count + 1))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parameters(sweep: RecordedSearch) -> list[str]:
    """The names of all parameters, in the order in which trials got them."""
    names: Mapping[str, None] = dict.fromkeys(name for trial in sweep.snapshot.trials for name in trial.params)
    return list(names)
