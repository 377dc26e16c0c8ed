"""The line that the terminal shows for a finished run."""

from __future__ import annotations

import os
from pathlib import Path

from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.runs.summary import Summary


def summary_line(summary: Summary, folder: Path) -> str:
    """One line with a run's results: ``gru: 8/8 escaped | iterations to escape 94 [80, 110] | runs/quickstart/gru``."""
    if not summary.measurable:
        block = summary.staircase.block
        too_few = f"{summary.budget} iterations are too few to detect an escape: three blocks of {block} are needed"
        return f"{summary.name}: {too_few} | {os.path.relpath(folder)}"
    escaped = sum(outcome.escape_iteration is not None for outcome in summary.outcomes)
    diverged = sum(outcome.diverged for outcome in summary.outcomes)
    parts = [f"{summary.name}: {escaped}/{len(summary.outcomes)} escaped"]
    if diverged:
        parts.append(f"{diverged} diverged")
    parts.append(f"{OBJECTIVES[summary.objective].heading} {summary.value:.4g}")
    parts.append(os.path.relpath(folder))
    return " | ".join(parts)
