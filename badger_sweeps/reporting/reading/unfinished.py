"""Unfinished runs: those that are running, were stopped, or crashed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
from omegaconf import OmegaConf

from badger_sweeps.configuration.recorded import recorded_config
from badger_sweeps.runs.history import HISTORY_FILE, history_parts, read_table
from badger_sweeps.runs.summary import Summary, summarize


def iterations_done(run: Path) -> int:
    """The number of iterations in a run's history; 0 if there is no history.

    Raises:
        OSError, ValueError: the history is damaged.
    """
    if not any((run / HISTORY_FILE).glob("part-*")):
        return 0
    last = pc.max(read_table(run, [])["iteration"]).as_py()
    return 0 if last is None else int(last) + 1


def progress(run: Path) -> str:
    """An unfinished run's iterations and the time of the last write.

    Whether a process is still training it cannot be seen from another machine.
    """
    total = OmegaConf.select(recorded_config(run), "training.iterations")
    done = iterations_done(run)
    if not done:
        return f"it has no {HISTORY_FILE}"
    written = max(part.stat().st_mtime for part in history_parts(run))
    when = datetime.fromtimestamp(written, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"at iteration {done} of {total}, last written {when}"


def summarize_so_far(run: Path) -> Summary:
    """The summary of an unfinished run's iterations so far, with times censored at their number."""
    from badger_sweeps.configuration.builder import plan_of  # loads PyTorch, which only these runs need

    planned = plan_of(run)
    return summarize(run, planned.name, iterations_done(run), planned.staircase, planned.objective)
