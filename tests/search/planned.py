"""Small trials that a test runs in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import FloatDistribution
from optuna.storages import BaseStorage

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.run import Plan
from badger_sweeps.search.pruning import Pruning, TrainingProgress
from badger_sweeps.search.racing import Race
from badger_sweeps.search.search import Search
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Space
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial import Trial
from badger_sweeps.search.trial_outcome import TrialOutcome
from badger_sweeps.search.trial_training import run_trial
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.training.experiment import Experiment, Training

ITERATIONS = 120
TRAINING = Training(iterations=ITERATIONS, batch_size=32, inner_steps=6, checkpoint_every=30, snapshot_every=None)
EXPERIMENT = Experiment(
    architecture=GRU(hidden=8, message=4),
    topology=RandomLinks(experts=5, links=2),
    task=GuessingGame(dims=2),
    optimizer=Adam(lr=0.003),
    training=TRAINING,
    seeds=tuple(range(8)),
    device="cpu",
)
"""Within its budget most seeds escape their first plateau."""


def plan(folder: Path, objective: str = "escape_iteration", measures: Measures | None = None, **changes: Any) -> Plan:
    """A trial of `EXPERIMENT`, with changes."""
    experiment = replace(EXPERIMENT, **changes)
    folder.mkdir(parents=True, exist_ok=True)
    unmeasured = Measures(every=None)
    return Plan(experiment, measures or unmeasured, folder, "test", (), {}, objective, Disabled())


def make_search(folder: Path, n_trials: int = 10, **settings: Any) -> Search:
    """A search in a journal, whose trials have a parameter without effect."""
    space = Space({"x": FloatDistribution(0, 1)})
    own = SearchSettings(n_trials=n_trials, **settings)
    made = Search(StorageAddress.parse(None, folder), "test", space, own, optuna.samplers.RandomSampler, folder)
    made.begin({}, [])
    return made


def begin(of: Search, pruning: Pruning | None = None, race: Race | None = None) -> Trial:
    """Claim the search's next trial."""
    claim = of.claim()
    assert claim is not None
    return Trial(of, claim, pruning, race)


def finish(trial: Trial, of: Plan) -> tuple[float, ...]:
    """Run a trial and tell its outcome, as a worker does."""
    values = run_trial(of, trial)
    trial.search.tell(trial.claim, TrialOutcome(trial.status, values, trial.reason, trial.details))
    return values


class Recorder(Pruning):
    """Keeps the progress that it gets, and prunes at given iterations.

    Args:
        stop_at: iterations at which the trial is stopped.
        die_at: the number of pruning checks before it dies.
    """

    def __init__(self, stop_at: Sequence[int] = (), die_at: int | None = None) -> None:
        self.shown: list[TrainingProgress] = []
        self._stop_at, self._die_at = stop_at, die_at

    def reason_to_prune(
        self, study: optuna.Study, storage: BaseStorage, trial_id: int, progress: TrainingProgress
    ) -> str | None:
        if len(self.shown) == self._die_at:
            raise Died
        self.shown.append(progress)
        return "as planned" if progress.iteration in self._stop_at else None


class Died(Exception):
    """What ends a trial in the middle, without a word to anyone."""


def rows(folder: Path) -> pd.DataFrame:
    """A run's history; frames are compared to the bit, NaN being equal to NaN."""
    return read_history(folder)
