"""The runs below a folder that W&B is told of, as they were planned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from badger_sweeps.configuration.builder import plan_of
from badger_sweeps.core.errors import UsageError
from badger_sweeps.loading import runs_below
from badger_sweeps.runs.run import Plan
from badger_sweeps.tracking.wandb import Mode, WandB


def tracked_below(folder: Path, mode: Mode) -> Iterator[tuple[str, Plan, WandB]]:
    """Each run's folder relative to `folder`, its plan, and what W&B is told in this mode.

    Raises:
        UsageError: there are none.
    """
    told = False
    for name in runs_below(folder).names:
        planned = plan_of(folder / name)
        if isinstance(planned.tracking, WandB):
            told = True
            tracking = replace(planned.tracking, mode=mode)
            yield name, replace(planned, tracking=tracking), tracking
    if not told:
        raise UsageError(f"`{folder}` must have runs with tracking=wandb below it; found none.")
