"""`optimization_results.yaml`: the result of a search, with the keys of Hydra's Optuna sweeper and a few more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from badger_sweeps.core.files import replacing
from badger_sweeps.search.state import SearchState, TrialRecord

RESULTS_FILE = "optimization_results.yaml"


def write_results(state: SearchState, front: list[int], folder: Path) -> None:
    """Write the best trial; with several objectives, the Pareto front.

    Args:
        state: of the search.
        front: numbers of the trials that no other trial dominates.
        folder: where the file goes.
    """
    content: dict[str, Any] = {"name": "optuna", "study": state.name, "trials": _counts(state)}
    best = state.best
    if len(state.directions) == 1:
        if best is None:
            return
        content |= {"best_params": dict(best.params), "best_value": best.values[0] if best.values else None}
        content |= {"best_trial": best.number, "best_interval": list(best.interval)}
    else:
        content["solutions"] = [_solution(trial) for trial in state.trials if trial.number in front]
    # Controllers that share a folder may finish at the same moment.
    with FileLock(folder / f".{RESULTS_FILE}.lock"), replacing(folder / RESULTS_FILE) as file:
        file.write(yaml.safe_dump(content, sort_keys=False).encode())


def _solution(trial: TrialRecord) -> dict[str, Any]:
    values = list(trial.values) if trial.values else None
    return {"params": dict(trial.params), "values": values, "trial": trial.number}


def _counts(state: SearchState) -> dict[str, int]:
    return {str(status): count for status, count in sorted(state.counts.items())}
