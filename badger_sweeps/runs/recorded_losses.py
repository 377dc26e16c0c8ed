"""The loss history of a run, restored from `history.parquet`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from badger_sweeps.evaluation.loss_history import EVALUATION_LOSS, LossHistory
from badger_sweeps.runs.history import iterations, read_history
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import DIVERGED, Record, Records

if TYPE_CHECKING:  # importing it takes half a second at each start
    import pandas


def read_losses(folder: Path, experiment: Experiment) -> pandas.DataFrame:
    """The losses of the history in a run's folder, and who diverged: all that a continued run needs of its history."""
    return read_history(folder, [*LossHistory(experiment).names, EVALUATION_LOSS, DIVERGED])


def recorded_loss_history(experiment: Experiment, history: pandas.DataFrame) -> LossHistory:
    """The `LossHistory` at the end of a recorded history."""
    losses = LossHistory(experiment)
    measured = [EVALUATION_LOSS] if EVALUATION_LOSS in history else []
    for iteration, seeds, values in iterations(history, [*losses.names, *measured]):
        metrics = {name: values[name] for name in losses.names}
        measures = {name: values[name] for name in measured if not np.isnan(values[name]).all()}
        losses.add(Records.of(Record(iteration, tuple(seeds), metrics, measures)))
    return losses
