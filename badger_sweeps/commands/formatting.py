"""A finished run in one line for the terminal."""

from __future__ import annotations

import os
from pathlib import Path

from badger_sweeps.runs.summary import Summary


def in_brief(summary: Summary, folder: Path) -> str:
    """For example ``gru: 8/8 escaped | escape_iteration 94 [80, 110] | runs/quickstart/gru``."""
    if not summary.measurable:
        block = summary.staircase.block
        short = f"{summary.budget} iterations are too few to see an escape: three blocks of {block} are needed"
        return f"{summary.name}: {short} | {os.path.relpath(folder)}"
    escaped = sum(outcome.escape_iteration is not None for outcome in summary.outcomes)
    diverged = sum(outcome.diverged for outcome in summary.outcomes)
    parts = [f"{summary.name}: {escaped}/{len(summary.outcomes)} escaped"]
    if diverged:
        parts.append(f"{diverged} diverged")
    parts.append(f"{summary.objective} {summary.value:.4g}")
    parts.append(os.path.relpath(folder))
    return " | ".join(parts)
