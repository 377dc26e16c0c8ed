"""What W&B costs a run at all defaults: time beside a run without it, and disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.runs import run as runs
from badger_sweeps.runs.graphs import write_graphs
from badger_sweeps.runs.history import History
from badger_sweeps.runs.provenance import Provenance
from badger_sweeps.tracking.base import Tracker, Tracking
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.tracking.wandb import WandB
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train_in_chunks
from badger_sweeps.training.population import Population
from benchmarks import made_up
from benchmarks.figures import Figure

BLOCK, TURNS = 100, 10
"""Iterations of a block, which has one row of measures as a whole run has; how often each takes its turn."""
LONG = 5000


def plan(folder: Path, tracking: Tracking, iterations: int) -> runs.Plan:
    """A run at all defaults, with its folder."""
    experiment = Experiment(device="cpu", training=Training(iterations=iterations))
    made = runs.Plan(experiment, Measures(), folder, "bench", (), {}, "escape_iteration", tracking)
    folder.mkdir()
    Provenance(folder, 0, "bench", "bench", {})
    write_graphs(folder, experiment)
    return made


def started(made: runs.Plan) -> Tracker:
    return made.tracking.start(runs.describe(made, 0))


def blocks(made: runs.Plan, tracker: Tracker, observe_seconds: Callable[[float], None]) -> Iterator[float]:
    """Train as a run does; gives the seconds that each block took, and tells those that tracking took."""
    population = Population(made.experiment)
    measuring = MeasureRecorder(made.measures, population, LossHistory(made.experiment))
    history = History(made.folder, made.columns)
    stop = measuring.next_stop
    records = runs._with_staircase(measuring.added_to(train_in_chunks(population, stop)), made, None)
    while not population.finished:
        tracking, began = 0.0, time.perf_counter()
        last = population.iteration + BLOCK
        while population.iteration < last:
            several = next(records)
            history.observe(several)
            before = time.perf_counter()
            tracker.observe(several)
            tracker.flush()  # W&B has a thread, which would go on in the other run's turn
            tracking += time.perf_counter() - before
        observe_seconds(tracking)
        yield time.perf_counter() - began


def test_time(tmp_path: Path, benchmark, report) -> None:
    """Two runs that train the same in one process, a block of one and a block of the other."""
    iterations = BLOCK * (TURNS + 1)
    with_it = plan(tmp_path / "wandb", WandB(), iterations)
    without = plan(tmp_path / "disabled", Disabled(), iterations)
    seconds: dict[str, list[float]] = {"wandb": [], "disabled": []}
    logging: list[float] = []
    tracker = started(with_it)
    ours = blocks(with_it, tracker, logging.append)
    plain = blocks(without, started(without), lambda _: None)

    def race() -> None:
        for _ in range(TURNS + 1):  # the first turn is not counted
            seconds["wandb"].append(next(ours))
            seconds["disabled"].append(next(plain))

    benchmark.pedantic(race, rounds=1, iterations=1)
    tracker.close(0)
    both = np.array([seconds["wandb"][1:], seconds["disabled"][1:]])
    report(
        "W&B beside no tracking: 8 seeds, default measures",
        iterations=TURNS * BLOCK,
        **{"wandb/ms": Figure.of(1e3 * both[0] / BLOCK), "disabled/ms": Figure.of(1e3 * both[1] / BLOCK)},
        **{"in log calls/ms": Figure.of(1e3 * np.array(logging[1:]) / BLOCK)},
        **{"calls, % of disabled": 100 * sum(logging[1:]) / both[1].sum()},
        **{"wandb/disabled": Figure.of(both[0] / both[1], better="lower")},
    )


def test_disk(tmp_path: Path, benchmark, report) -> None:
    """W&B gets made-up records, at the cadences of the defaults."""
    made = plan(tmp_path / "run", WandB(), LONG)
    tracker = started(made)

    def tell() -> None:
        for record in made_up.records(made):
            tracker.observe(record)
        tracker.close(0)

    benchmark.pedantic(tell, rounds=1, iterations=1)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and not path.is_symlink()]
    seeds = len(made.experiment.seeds)
    report(
        "files of a run",
        **{"seeds": seeds, "iterations": LONG},
        **{"W&B, MB/seed": megabytes(path for path in files if "wandb" in path.parts) / seeds},
        **{"code, MB/run": megabytes(path for path in files if path.name.startswith("code-"))},
    )


def megabytes(files: Iterable[Path]) -> Figure:
    return Figure(sum(path.stat().st_size for path in files) / 1e6, better="lower")
