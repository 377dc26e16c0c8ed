"""What cannot be measured is told at the terminal, once and in one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.runs.commands import run


def test_what_diverges_is_nan_and_is_told_once(tmp_path: Path) -> None:
    settings = ["optimizer=sgd", "optimizer.lr=1e6", "training.clip_norm=null", "training.iterations=8"]
    done = run(tmp_path / "run", *settings, "measures.every=1")
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert 1 <= len(told) == len(set(told))
    assert all(line.endswith(": NaN") and ".py" not in line for line in told), told
    values = pd.read_parquet(tmp_path / "run" / "history.parquet")["mi/mean"]
    assert values.iloc[:3].notna().all()
    assert values.iloc[-1:].isna().all()
