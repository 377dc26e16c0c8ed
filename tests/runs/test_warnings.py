"""A measure that cannot be computed gives one line of warning on the terminal, once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.runs.commands import run


def test_measures_of_diverged_members_are_nan_with_one_warning(tmp_path: Path) -> None:
    settings = ["optimizer=sgd", "optimizer.lr=1e6", "training.clip_norm=null", "training.iterations=8"]
    done = run(tmp_path / "run", *settings, "measures.every=1")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) == len(set(lines))
    assert all(line.endswith(": NaN") and ".py" not in line for line in lines), lines
    values = pd.read_parquet(tmp_path / "run" / "history.parquet")["mi/mean"]
    assert values.iloc[:3].notna().all()
    assert values.iloc[-1:].isna().all()
