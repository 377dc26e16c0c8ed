"""The runs below a folder that W&B tracks, with their plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from badger_sweeps.configuration.builder import plan_of
from badger_sweeps.core.errors import UsageError
from badger_sweeps.loading import runs_below
from badger_sweeps.runs.run import Plan
from badger_sweeps.tracking.wandb import WandB
from badger_sweeps.tracking.wandb_connection import Mode


def tracked_below(folder: Path, mode: Mode) -> Iterator[tuple[str, Plan, WandB]]:
    """For each run that W&B tracks: its folder relative to `folder`, its plan, and its tracking settings.

    Args:
        folder: the folder above the runs.
        mode: the mode that replaces the one in the runs' settings.

    Raises:
        UsageError: there are no such runs.
    """
    any_tracked = False
    for name in runs_below(folder).names:
        planned = plan_of(folder / name)
        if isinstance(planned.tracking, WandB):
            any_tracked = True
            tracking = replace(planned.tracking, mode=mode)
            yield name, replace(planned, tracking=tracking), tracking
    if not any_tracked:
        raise UsageError(f"`{folder}` must have runs with tracking=wandb below it; found none.")
