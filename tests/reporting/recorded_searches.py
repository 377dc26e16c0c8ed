"""Optuna studies made by hand, stored as a search stores them in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from badger_sweeps.reporting.reading.search import RecordedSearch, read
from badger_sweeps.reporting.reading.search_storage import SearchLocation
from badger_sweeps.search.confirmation import confirmation_definition
from badger_sweeps.search.definition import definition
from badger_sweeps.search.search import DEFINITION
from badger_sweeps.search.space import Space
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import OUTCOME

SPACE = {"lr": FloatDistribution(0.001, 1.0, log=True), "kind": CategoricalDistribution(["gru", "<b>tcnn</b>"])}
BUDGET = 300
SLOW = [200.0, 220, 240, 210, 230, 250, 205, 215]
"""The first trial's values for seeds 0 to 7."""
FAST = [value - 100 - 5 * seed for seed, value in enumerate(SLOW)]


def complete(values: Sequence[float], lr: float, kind: str = "gru", first_seed: int = 0, **details: Any) -> FrozenTrial:
    """A complete trial with these values of its seeds."""
    outcome = {
        "state": "completed",
        "reason": "",
        "iterations": BUDGET,
        "seeds": len(values),
        "escaped": sum(bool(value < BUDGET) for value in values),
        "diverged": 0,
        "objectives": ["escape_iteration"],
        "intervals": [[None, None]],
        "per_seed": {str(seed): float(value) for seed, value in enumerate(values, start=first_seed)},
    }
    return finished(TrialState.COMPLETE, {**outcome, **details}, lr, kind, [sum(values) / len(values)])


def pruned(iterations: int, lr: float, seeds: int = 8, reason: str = "its mean is at least 200") -> FrozenTrial:
    outcome = {"state": "pruned", "reason": reason, "iterations": iterations, "seeds": seeds}
    return finished(TrialState.PRUNED, outcome, lr, "gru", None)


def failed(reason: str, lr: float, state: str = "failed") -> FrozenTrial:
    return finished(TrialState.FAIL, {"state": state, "reason": reason}, lr, "gru", None)


def open_trial(state: TrialState, lr: float, recorded_state: str = "") -> FrozenTrial:
    """A trial that is waiting or running."""
    return finished(state, {"state": recorded_state, "reason": ""} if recorded_state else {}, lr, "gru", None)


def finished(
    state: TrialState, outcome: Mapping[str, Any], lr: float, kind: str, values: Sequence[float] | None
) -> FrozenTrial:
    return create_trial(
        state=state,
        values=None if values is None else [float(value) for value in values],
        params={"lr": lr, "kind": kind},
        distributions=SPACE,
        user_attrs={OUTCOME: dict(outcome)} if outcome else {},
    )


def record_search(
    folder: Path,
    trials: Sequence[FrozenTrial],
    confirmation: Sequence[FrozenTrial] | None = None,
    directions: Sequence[str] = ("minimize",),
    objective: str = "escape_iteration",
    **sweeper: Any,
) -> Path:
    """Write a search's journal, including its confirmation, and its configuration.

    Args:
        folder: the search's folder.
        trials: the trials of the search.
        confirmation: trials on fresh seeds; None: no confirmation.
        directions: the directions of the search's objectives.
        objective: the objective in the configuration.
        sweeper: keys of `hydra.sweeper`.
    """
    storage = StorageAddress.parse(sweeper.get("storage"), folder).open()
    made = optuna.create_study(study_name=folder.name, storage=storage, directions=list(directions))
    configuration = {"objective": objective, "training.iterations": BUDGET}
    made.set_user_attr(DEFINITION, definition(Space(SPACE), list(directions), configuration))
    made.add_trials(trials)
    if confirmation is not None:
        again = optuna.create_study(study_name=f"{folder.name} confirmation", storage=storage, directions=directions)
        again.set_user_attr(DEFINITION, dict(confirmation_definition(["seeds=[100]"])))
        again.add_trials(confirmation)
    target = {"_target_": "hydra_plugins.badger_sweeper.sweeper.BadgerSweeper", "n_trials": len(trials), **sweeper}
    config = {
        "hydra": {"sweeper": target, "sweep": {"dir": "runs/${scale}"}},
        "scale": folder.name,
        "objective": objective,
        "training": {"iterations": BUDGET},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "multirun.yaml").write_text(yaml.safe_dump(config))
    return folder


def read_search(folder: Path) -> RecordedSearch:
    """The search that reports read from a folder."""
    source = SearchLocation.of(folder)
    assert source is not None
    return read(source)
