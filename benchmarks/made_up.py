"""Runs that nobody trained: what runs at all defaults leave behind, with random numbers in the place of results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.runs.graphs import write_graphs
from badger_sweeps.runs.history import History
from badger_sweeps.runs.provenance import Provenance
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.summary import summarize
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import Record, Records


def records(plan: Plan) -> Iterator[Records]:
    """As many as the plan has iterations, each with the columns that it would have; random digits pack worst."""
    rng = np.random.default_rng(0)
    experiment, seeds = plan.experiment, plan.experiment.seeds
    due = [(measure.every, measure.columns(experiment).values()) for measure in plan.measures.of(experiment)]
    for iteration in range(experiment.training.iterations):
        metrics = {name: rng.random(len(seeds), np.float32) for name in plan.metrics}
        measured = [column for every, given in due if iteration % every == 0 for column in given]
        measures = {column.name: rng.random((len(seeds), *column.shape), np.float32) for column in measured}
        yield Records.of(Record(iteration, seeds, metrics, measures))


def write_run(folder: Path, seeds: int, iterations: int) -> None:
    """The folder of a finished run, without what it would need to go on."""
    experiment = Experiment(device="cpu", seeds=tuple(range(seeds)), training=Training(iterations=iterations))
    plan = Plan(experiment, Measures(), folder, "made up", (), {}, "escape_iteration", Disabled())
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text("{}\n")
    history = History(folder, plan.columns)
    for record in records(plan):
        history.observe(record)
    history.flush()
    write_graphs(folder, experiment)
    Provenance(folder, 0, "none", plan.name, {}).close(iterations, 0.0, 0)
    summarize(folder, plan.name, iterations, plan.staircase, plan.objective).write(folder)
