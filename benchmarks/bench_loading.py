"""`badger_sweeps.load(DIR).histories()` beside what one would write with pandas."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

import badger_sweeps
from benchmarks.made_up import write_run
from benchmarks.racing import Race

ROWS = 5000
CURVES = ("loss", "plateau/rung", "mi/mean", "binding/outer", "hurst/dfa")


def plain(folder: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """One call for each run, and all of them put together."""
    wanted = None if columns is None else ["seed", "iteration", *columns]
    paths = sorted(folder.glob("*/history.parquet"))
    return pd.concat([pd.read_parquet(path, columns=wanted).assign(run=path.parent.name) for path in paths])


@pytest.mark.parametrize("columns", [None, CURVES], ids=["all columns", "curves"])
@pytest.mark.parametrize(("runs", "seeds"), [(64, 1), (1, 64)])
def test_histories(runs: int, seeds: int, columns: Sequence[str] | None, tmp_path: Path, benchmark, report) -> None:
    write_run(tmp_path / "00", seeds, ROWS)
    for number in range(1, runs):
        shutil.copytree(tmp_path / "00", tmp_path / f"{number:02d}")

    def load() -> pd.DataFrame:
        return badger_sweeps.load(tmp_path).histories(columns)

    assert set(load()) == set(plain(tmp_path, columns))
    assert len(load()) == runs * seeds * ROWS
    race = Race({"ours": load, "pandas": lambda: plain(tmp_path, columns)})
    benchmark.pedantic(race.turn, rounds=race.rounds, iterations=1)
    report(
        "histories as one frame",
        **{"runs": runs, "seeds": seeds, "iterations": ROWS, "which": "all" if columns is None else "curves"},
        **{"columns": float(len(set(load()))), "ours/s": race.median("ours"), "pandas/s": race.median("pandas")},
        **{"pandas/ours": race.ratio("pandas", "ours", better="higher")},
    )
