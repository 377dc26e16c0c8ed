"""badger_sweeps: find out why multi-agent meta-learners are hard to train.

Importing the package is cheap on purpose: the command line answers before PyTorch is loaded. Library users
import what they need, e.g. ``from badger_sweeps.training.loop import train``.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from badger_sweeps.loading import Runs

__version__ = "0.1.0"


def load(folder: str | PathLike[str]) -> Runs:
    """What the runs below a folder left behind, finished or not (`badger_sweeps.loading.Runs`).

    ``load("runs/quickstart").histories(["loss"])`` is a pandas frame with a row for each run, seed and iteration,
    ``.summaries()`` one with a row for each run and seed; `polars.from_arrow` makes a Polars frame of ``.table()``.
    Files are read when a frame is asked for, and of them what it needs.

    Raises:
        UsageError: there are no runs.
    """
    from badger_sweeps.loading import runs_below

    return runs_below(Path(folder))
