"""`make report` of a study, beside reading its histories with pandas, which whatever shows them has to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.figures import Figure
from benchmarks.made_up import write_run
from benchmarks.racing import Race

ROWS = 5000


@pytest.mark.parametrize("runs", [8, 30])
def test_report(runs: int, tmp_path: Path, benchmark, report) -> None:
    write_run(tmp_path / "00", 8, ROWS)
    for number in range(1, runs):
        shutil.copytree(tmp_path / "00", tmp_path / f"{number:02d}")

    def build() -> None:
        subprocess.run([sys.executable, "-m", "badger_sweeps", "report", tmp_path], check=True, capture_output=True)

    def read() -> None:
        paths = sorted(tmp_path.glob("*/history.parquet"))
        pd.concat([pd.read_parquet(path).assign(run=path.parent.name) for path in paths])

    race = Race({"report": build, "pandas": read})
    benchmark.pedantic(race.turn, rounds=race.rounds, iterations=1)
    report(
        "reports",
        **{"runs": runs, "seeds": 8, "iterations": ROWS},
        **{"report/s": race.median("report", better="lower"), "pandas/s": race.median("pandas")},
        **{"report/pandas": race.ratio("report", "pandas", better="lower")},
        **{"page/MB": Figure((tmp_path / "report.html").stat().st_size / 1e6, better="lower")},
    )
