"""What a whole training iteration costs beyond the gradients, and a run's memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from badger_sweeps.engines.native.engine import Native
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.runs import run as runs
from badger_sweeps.runs.checkpoint import Checkpointer
from badger_sweeps.runs.history import History
from badger_sweeps.tracking import wandb
from badger_sweeps.tracking.base import Tracker
from badger_sweeps.tracking.progress import TerminalProgress
from badger_sweeps.training.population import Population
from benchmarks.conftest import ALL_CORES
from benchmarks.figures import Figure
from benchmarks.workloads import SIZES, Size, experiment

ITERATIONS, BLOCK, BARE = {"base": 400, "small": 2000}, 100, {"base": 10, "small": 100}
"""Iterations of a run, iterations after which everything is compared, and bare gradients computed in between."""
PARTS = {
    "kernel": (Native, "descend"),
    "draw targets": (Population, "draw_games"),
    "measures": (MeasureRecorder, "_measure"),
    "plateaus": (runs.StaircaseTracker, "observe"),
    "history": (History, "observe"),
    "W&B": (wandb._Runs, "observe"),
    "progress": (TerminalProgress, "observe"),
    "checkpoints": (Checkpointer, "observe"),
}


def plan(folder: Path, size: Size, threads: int, iterations: int) -> runs.Plan:
    """A run at all defaults but its size: history, W&B offline, checkpoints."""
    setup = experiment(size, 8, iterations, engine=Native(threads=threads))
    return runs.Plan(setup, Measures(), folder, "bench", (), {}, "escape_iteration", wandb.WandB())


@pytest.mark.parametrize("threads", sorted({1, len(ALL_CORES)}))
@pytest.mark.parametrize("name", ["base", "small"])
def test_whole_iteration(name: str, threads: int, tmp_path: Path, monkeypatch, benchmark, report) -> None:
    """Beside bare gradients, with the games' states drawn in them, of the same population, between the blocks.

    What W&B's thread does while the kernel computes is in no part, but in the whole. Measures are reported apart.
    """
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
    with_staircase = runs._with_staircase
    blocks: list[dict[str, float]] = []

    populations: list[Population] = []
    initialize = Population.__init__
    monkeypatch.setattr(
        Population, "__init__", lambda self, *given: (populations.append(self), initialize(self, *given))[1]
    )

    def bare_gradients() -> float:
        (members,) = populations
        games = members._drawn.of(slice(0, 8))
        started = time.perf_counter()
        for _ in range(BARE[name]):
            pullback(members.engine, members.objective, members.parameters, games)
        return (time.perf_counter() - started) / BARE[name] * BLOCK

    def whole(*arguments):
        started = time.perf_counter()
        for records in with_staircase(*arguments):
            yield records
            if records.iterations.stop % BLOCK == 0:
                trackers[0].flush()  # what W&B's thread has still to do belongs to these iterations
                seconds = time.perf_counter() - started
                blocks.append({**spent, "all": seconds, "gradients": bare_gradients()})
                spent.clear()
                started = time.perf_counter()

    trackers: list[Tracker] = []
    start = wandb.WandB.start
    monkeypatch.setattr(wandb.WandB, "start", lambda self, run: trackers.append(start(self, run)) or trackers[0])
    pullback = Native.pullback
    monkeypatch.setattr(runs, "_with_staircase", whole)
    (tmp_path / "run").mkdir()
    started = plan(tmp_path / "run", SIZES[name], threads, ITERATIONS[name])
    silent = Console(file=(tmp_path / "out").open("w"))
    benchmark.pedantic(lambda: runs.run(started, silent), rounds=1, iterations=1)
    counted = blocks[1:]  # the first one may load and allocate
    of = {part: np.array([block.get(part, 0.0) for block in counted]) for part in (*PARTS, "all", "gradients")}
    means = {part: seconds.mean() * 1e3 / BLOCK for part, seconds in of.items()}
    apart = (of["all"] - of["measures"]) / of["gradients"]
    report(
        "a whole training iteration, 8 members, everything on (ms)",
        size=name,
        threads=threads,
        **{part: means[part] for part in ("gradients", *PARTS)},
        **{"the rest": means["all"] - sum(means[part] for part in PARTS), "all": means["all"]},
        **{"all / gradients": of["all"].sum() / of["gradients"].sum()},
        **{"all but measures / gradients": Figure.of(apart, better="lower")},
    )


OF_MEMORY = [("native", "standard", 101), ("native", "none", 101), ("reference", "none", 5)]
MEMORY = """
import sys
from pathlib import Path
from badger_sweeps.commands.app import main
sys.argv = ["badger-sweeps", *sys.argv[1:]]
main()
lines = Path("/proc/self/status").read_text().splitlines()  # getrusage's peak would include the benchmark's own process
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize(
    ("engine", "measures", "iterations"),
    [("native", "standard", 101), ("native", "none", 101), ("reference", "none", 5)],
)
def test_memory(engine: str, measures: str, iterations: int, tmp_path: Path, benchmark, report) -> None:
    """Peak resident memory of the whole command at base size with 32 members; 101 iterations measure twice."""
    size = SIZES["base"]
    overrides = [
        f"engine={engine}",
        f"measures={measures}",
        "architecture.reset_gate=false",
        f"training.batch_size={size.games}",
        f"training.iterations={iterations}",
        "seeds=32",
        f"hydra.run.dir={tmp_path}",
    ]
    command = [sys.executable, "-c", MEMORY, *overrides]
    answer = benchmark.pedantic(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True), rounds=1, iterations=1
    )
    megabytes = Figure(int(answer.stdout.splitlines()[-1]) / 1024, better="lower")
    report("peak memory of a 32-member base run", engine=engine, measures=measures, iterations=iterations, MB=megabytes)
