"""What measures look back on, from what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from badger_sweeps.evaluation.loss_history import EVALUATION_LOSS, LossHistory
from badger_sweeps.runs.history import iterations
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import Record

if TYPE_CHECKING:  # half a second, which a start does without
    import pandas


def recorded_loss_history(experiment: Experiment, history: pandas.DataFrame) -> LossHistory:
    """The losses in a history, as they were known when its last iteration was done."""
    course = LossHistory(experiment)
    measured = [EVALUATION_LOSS] if EVALUATION_LOSS in history else []
    for iteration, seeds, values in iterations(history, [*course.names, *measured]):
        metrics = {name: values[name] for name in course.names}
        measures = {name: values[name] for name in measured if not np.isnan(values[name]).all()}
        course.add(Record(iteration, tuple(seeds), metrics, measures))
    return course
