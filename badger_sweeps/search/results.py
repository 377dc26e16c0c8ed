"""`optimization_results.yaml`: what a search found, in the words of Hydra's Optuna sweeper and a few more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from badger_sweeps.core.files import replacing
from badger_sweeps.search.snapshot import StudyView, TrialView

NAME = "optimization_results.yaml"


def write_results(view: StudyView, front: list[int], folder: Path) -> None:
    """Write the best trial, or with several objectives the trials that no other beats in all of them.

    Args:
        view: the study.
        front: numbers of the trials that no other dominates.
        folder: where to.
    """
    content: dict[str, Any] = {"name": "optuna", "study": view.name, "trials": _counts(view)}
    best = view.best
    if len(view.directions) == 1:
        if best is None:
            return
        content |= {"best_params": dict(best.params), "best_value": best.values[0] if best.values else None}
        content |= {"best_trial": best.number, "best_interval": list(best.interval)}
    else:
        content["solutions"] = [_solution(trial) for trial in view.trials if trial.number in front]
    # Controllers that share a folder come to their ends at the same moment.
    with FileLock(folder / f".{NAME}.lock"), replacing(folder / NAME) as file:
        file.write(yaml.safe_dump(content, sort_keys=False).encode())


def _solution(trial: TrialView) -> dict[str, Any]:
    values = list(trial.values) if trial.values else None
    return {"params": dict(trial.params), "values": values, "trial": trial.number}


def _counts(view: StudyView) -> dict[str, int]:
    return {str(state): count for state, count in sorted(view.counts.items())}
