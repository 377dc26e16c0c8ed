"""What measuring costs beside training, at all defaults: 16 experts, 4 dimensions, 8 seeds, W&B offline."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console

from badger_sweeps.engines.native.engine import Native
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.runs import run as runs
from badger_sweeps.tracking.wandb import WandB
from badger_sweeps.training.experiment import Experiment, Training
from benchmarks.figures import Figure

ITERATIONS = 5000


def test_share_of_measuring(tmp_path: Path, monkeypatch, benchmark, report) -> None:
    """Over a whole run; the rollout of the evaluation games is counted with the loss, which asks for it first."""
    experiment = Experiment(device="cpu", training=Training(iterations=ITERATIONS))
    measures = Measures()
    spent: dict[str, float] = defaultdict(float)
    taken: dict[str, int] = defaultdict(int)

    def timed(owner: type, method: str, name: str) -> None:
        original = getattr(owner, method)

        def call(*arguments, **named):
            started = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                spent[name] += time.perf_counter() - started
                taken[name] += 1

        monkeypatch.setattr(owner, method, call)

    for measure in measures.of(experiment):
        timed(type(measure), "measure", type(measure).__name__)
    timed(Native, "rollout", "evaluation games, within the others")
    timed(MeasureRecorder, "_measure", "all")
    timed(runs, "_train", "run")
    plan = runs.Plan(experiment, measures, tmp_path, "bench", (), {}, "escape_iteration", WandB())
    silent = Console(file=(tmp_path / "out").open("w"))
    benchmark.pedantic(lambda: runs.run(plan, silent), rounds=1, iterations=1)
    training = spent.pop("run") - spent["all"]
    taken["all"] = taken["FixedLoss"]
    for name, each in spent.items():
        figures = {"taken": float(taken[name]), "ms each": each / taken[name] * 1e3}
        share = Figure(100 * each / training, better="lower")
        report("measuring at the defaults", iterations=ITERATIONS, measure=name, **figures, **{"% of training": share})
