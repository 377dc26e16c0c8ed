"""A whole sweep, 12 configurations x 8 seeds: ours against plain eager PyTorch under Hydra's joblib launcher."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.conftest import ALL_CORES
from benchmarks.figures import Figure

ITERATIONS = 150
LINKS, RATES = "2,4,8", "5e-4,1e-3,2e-3,4e-3"


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return time.perf_counter() - started


def test_sweep(tmp_path: Path, benchmark, report) -> None:
    """All that each does by itself: ours keeps histories, plateaus, checkpoints and W&B runs; theirs a CSV file."""
    ours = [
        *("-m", "badger_sweeps", "-m", f"training.iterations={ITERATIONS}", f"hydra.sweep.dir={tmp_path}/ours"),
        *("seeds=8", f"topology.links={LINKS}", f"optimizer.lr={RATES}"),
    ]
    theirs = [
        *("-m", "benchmarks.peers.eager_run", "-m", f"iterations={ITERATIONS}", f"hydra.sweep.dir={tmp_path}/theirs"),
        *("seed=range(8)", f"links={LINKS}", f"lr={RATES}"),
        *("hydra/launcher=joblib", f"hydra.launcher.n_jobs={len(ALL_CORES)}"),
    ]
    ours_seconds, theirs_seconds = benchmark.pedantic(lambda: (seconds(ours), seconds(theirs)), rounds=1, iterations=1)
    assert len(list(tmp_path.glob("ours/*/summary.json"))) == 12
    assert len(list(tmp_path.glob("theirs/*/history.csv"))) == 96
    report(
        "a whole sweep",
        **{"configurations": 12, "seeds": 8, "iterations": ITERATIONS, "cores": len(ALL_CORES)},
        **{"ours/s": ours_seconds, "eager, joblib/s": theirs_seconds},
        **{"x": Figure(theirs_seconds / ours_seconds, better="higher")},
    )
