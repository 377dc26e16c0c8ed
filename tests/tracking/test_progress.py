"""Progress on a terminal, and as lines if the output is not a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from badger_sweeps.core.columns import columns, metric
from badger_sweeps.tracking import progress as module
from badger_sweeps.tracking.base import RunDescription
from badger_sweeps.tracking.progress import TerminalProgress, level_counts
from badger_sweeps.training.loop import Record, Records

RUN = RunDescription(Path(), "id", "gru [x]", "gru", (), {}, (0, 1), 0, {}, columns(metric("loss", "Loss")))


def record(iteration: int) -> Records:
    return Records.of(Record(iteration, (0, 1), {"plateau/rung": np.float32([0.75, 1])}))


def follow(terminal: bool, iterations: int = 30) -> str:
    out = io.StringIO()
    progress = TerminalProgress(RUN, iterations, Console(file=out, force_terminal=terminal, width=160))
    for iteration in range(iterations):
        progress.observe(record(iteration))
    progress.close(0)
    return out.getvalue()


def test_plain_lines_when_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_PER_LINE", 0.0)
    lines = follow(terminal=False).splitlines()
    assert len(lines) == 30
    assert "\x1b" not in "".join(lines)
    assert re.fullmatch(
        r"gru \[x\]: iteration 10/30 \| [\d.]+ it/s \| \d+ s left \| loss level 1\.00: 1 seed, 0\.75: 1", lines[9]
    )


def test_lines_are_few() -> None:
    assert len(follow(terminal=False).splitlines()) == 1  # the last iteration, since ten seconds have not passed


def test_a_live_bar_on_a_terminal() -> None:
    shown = follow(terminal=True)
    assert "gru [x]" in shown
    assert "30/30" in shown
    assert "it/s" in shown
    assert "loss level 1.00: 1 seed, 0.75: 1" in shown


def test_levels_are_counted_from_the_highest() -> None:
    assert level_counts(np.float32([0.5, np.nan, 1, 0.5])) == "loss level 1.00: 1 seed, 0.50: 2"
    assert level_counts(np.float32([0, 0])) == "loss level 0.00: 2 seeds"
    assert level_counts(np.float32([np.nan])) == ""
