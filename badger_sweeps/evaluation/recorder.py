"""The recorder that takes measures during training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from badger_sweeps.evaluation.blocks import EvaluationBlocks
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.training.loop import Record
from badger_sweeps.training.population import Population


class MeasureRecorder:
    """Adds to each record the measures due at its iteration, taken with the weights before the iteration's update.

    Args:
        measures: settings of the measures.
        population: the population in training.
        loss_history: the population's losses so far; the recorder adds those of each record.

    Attributes:
        seconds: the time spent on measuring, in seconds.
    """

    def __init__(self, measures: Measures, population: Population, loss_history: LossHistory) -> None:
        self.seconds = 0.0
        self._population, self._loss_history = population, loss_history
        self._measures = measures.of(population.experiment)
        self._evaluation = EvaluationBlocks(population.experiment, population.engine, measures.games, measures.noise)

    def added_to(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records, with their `measures`."""
        while not self._population.finished:
            measures = self._measure()
            record = replace(next(records), measures=measures)
            self._loss_history.add(record)
            yield record

    def _measure(self) -> dict[str, np.ndarray]:
        due = [measure for measure in self._measures if self._population.iteration % (measure.every or 1) == 0]
        if not due:
            return {}
        started = time.monotonic()
        tensors = self._evaluation.measure(due, self._population, self._loss_history)
        values = {name: value.float().numpy() for name, value in tensors.items()}
        self.seconds += time.monotonic() - started
        return values
