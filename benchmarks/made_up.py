"""Records that nobody trained: what a run at all defaults tells, with random numbers in the place of results."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from badger_sweeps.runs.run import Plan
from badger_sweeps.training.loop import Record


def records(plan: Plan) -> Iterator[Record]:
    """As many as the plan has iterations, each with the columns that it would have; random digits pack worst."""
    rng = np.random.default_rng(0)
    experiment, seeds = plan.experiment, plan.experiment.seeds
    due = [(measure.every, measure.columns(experiment)) for measure in plan.measures.of(experiment)]
    for iteration in range(experiment.training.iterations):
        shapes = dict.fromkeys(plan.metrics, ())
        metrics = {name: rng.random((len(seeds), *shape), np.float32) for name, shape in shapes.items()}
        measured = {name: shape for every, own in due if iteration % every == 0 for name, shape in own.items()}
        measures = {name: rng.random((len(seeds), *shape), np.float32) for name, shape in measured.items()}
        yield Record(iteration, seeds, metrics, measures)
