"""The live table of a search, on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from badger_sweeps.search.state import SearchState, TrialRecord
from badger_sweeps.search.table import SearchTable
from badger_sweeps.search.trial_outcome import TrialStatus

PARAMS = {"architecture": "exponential", "optimizer.lr": 0.00123, "topology.links": 4}


def trial(number: int, status: TrialStatus, reason: str = "", progress: str = "") -> TrialRecord:
    values = (431.0,) if status == TrialStatus.COMPLETED else None
    return TrialRecord(number, status, PARAMS, values, (None, None), reason, progress, "host:1", None, None, {})


@pytest.mark.parametrize("width", [40, 60, 120])
def test_nothing_is_cut(width: int) -> None:
    state = SearchState(
        "mine",
        8,
        ("minimize",),
        (
            trial(0, TrialStatus.COMPLETED),
            trial(1, TrialStatus.PRUNED, reason="worse than trial 0 on 6 of 8 seeds (p = 0.012)"),
            trial(2, TrialStatus.RUNNING, progress="120/400"),
        ),
    )
    out = io.StringIO()
    shown = SearchTable(Console(file=out, width=width, force_terminal=True, color_system=None))
    shown.show(state)
    shown.close()
    words = out.getvalue().split()
    assert not any("━" in line and any(map(str.isalnum, line)) for line in out.getvalue().splitlines())
    assert "…" not in out.getvalue()
    for text in ("best, completed: 431", "pruned: worse than trial 0 on 6 of 8 seeds (p = 0.012)", "120/400"):
        assert set(text.split()) <= set(words)
    assert all(words.count(text) >= 3 for text in ("architecture=exponential", "optimizer.lr=0.00123"))
