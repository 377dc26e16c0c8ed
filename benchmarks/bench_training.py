"""What a whole training iteration costs beyond the gradients, and a run's memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from rich.console import Console

from badger_sweeps.engines.native.engine import Native
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.optimizers.population import PopulationOptimizer
from badger_sweeps.runs import run as runs
from badger_sweeps.runs.checkpoint import Checkpointer
from badger_sweeps.runs.history import History
from badger_sweeps.tracking import wandb
from badger_sweeps.tracking.progress import TerminalProgress
from badger_sweeps.training.population import Population
from benchmarks.conftest import ALL_CORES
from benchmarks.workloads import SIZES, Size, experiment

ITERATIONS = 200
PARTS = {
    "gradients": (Native, "pullback"),
    "draw games": (Population, "draw_games"),
    "optimizer": (PopulationOptimizer, "step"),
    "measures": (MeasureRecorder, "_measure"),
    "plateaus": (runs.StaircaseTracker, "observe"),
    "history": (History, "observe"),
    "W&B": (wandb._Runs, "observe"),
    "progress": (TerminalProgress, "observe"),
    "checkpoints": (Checkpointer, "observe"),
}


def plan(folder: Path, size: Size, threads: int) -> runs.Plan:
    """A run at all defaults but its size: history, W&B offline, checkpoints."""
    setup = experiment(size, 8, ITERATIONS, engine=Native(threads=threads))
    return runs.Plan(setup, Measures(), folder, "bench", (), {}, "escape_iteration", wandb.WandB())


@pytest.mark.parametrize("threads", sorted({1, len(ALL_CORES)}))
@pytest.mark.parametrize("name", ["base", "small"])
def test_whole_iteration(name: str, threads: int, tmp_path: Path, monkeypatch, benchmark, report) -> None:
    spent: dict[str, float] = defaultdict(float)

    def timed(part: str, owner: type, method: str) -> None:
        original = getattr(owner, method)

        def call(*arguments, **named):
            started = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                spent[part] += time.perf_counter() - started

        monkeypatch.setattr(owner, method, call)

    for part, (owner, method) in PARTS.items():
        timed(part, owner, method)
    with_ladder = runs._with_staircase

    def whole(*arguments):
        started = None
        for record in with_ladder(*arguments):
            started = started or time.perf_counter()  # the first iteration is not counted: it may load and allocate
            yield record
            if record.iteration:
                spent["all"] = time.perf_counter() - started
            else:
                started = time.perf_counter()
                spent.clear()

    monkeypatch.setattr(runs, "_with_staircase", whole)
    (tmp_path / "run").mkdir()
    started = plan(tmp_path / "run", SIZES[name], threads)
    silent = Console(file=(tmp_path / "out").open("w"))
    benchmark.pedantic(lambda: runs.run(started, silent), rounds=1, iterations=1)
    per = {part: seconds * 1e3 / (ITERATIONS - 1) for part, seconds in spent.items()}
    rest = per["all"] - sum(per[part] for part in PARTS)
    report(
        "a whole training iteration, 8 members, everything on (ms)",
        size=name,
        threads=threads,
        **{part: per[part] for part in PARTS},
        **{"the rest": rest, "all": per["all"], "all / gradients": per["all"] / per["gradients"]},
    )


MEMORY = """
import sys
from pathlib import Path
from badger_sweeps.commands.app import main
sys.argv = ["badger-sweeps", *sys.argv[1:]]
main()
lines = Path("/proc/self/status").read_text().splitlines()  # getrusage's peak would include the benchmark's own process
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_memory(engine: str, tmp_path: Path, benchmark, report) -> None:
    """Peak resident memory of the whole command at base size with 32 members."""
    size = SIZES["base"]
    overrides = [
        f"engine={engine}",
        "architecture.reset_gate=false",
        f"training.batch_size={size.games}",
        "training.iterations=5",
        "seeds=32",
        f"hydra.run.dir={tmp_path}",
    ]
    command = [sys.executable, "-c", MEMORY, *overrides]
    answer = benchmark.pedantic(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True), rounds=1, iterations=1
    )
    report("peak memory of a 32-member base run", engine=engine, MB=int(answer.stdout.splitlines()[-1]) / 1024)
