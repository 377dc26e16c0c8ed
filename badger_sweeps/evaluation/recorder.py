"""The recorder that takes measures during training."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from badger_sweeps.evaluation.chunks import EvaluationChunks
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.training.loop import Records, next_multiple
from badger_sweeps.training.population import Population


class MeasureRecorder:
    """Adds to records the measures due at their first iteration, taken with the weights before the iteration's update.

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
        self._evaluation = EvaluationChunks(population.experiment, population.engine, measures.games, measures.noise)

    def next_stop(self, iteration: int) -> int:
        """The next iteration, after `iteration`, at which a measure is due."""
        return min((next_multiple(measure.every, iteration) for measure in self._measures), default=sys.maxsize)

    def added_to(self, chunks: Iterator[Records]) -> Iterator[Records]:
        """The records of `training.loop.train_in_chunks`, with their `measures`.

        No chunk may pass the next stop: measures are taken before the chunk begins.
        """
        while not self._population.finished:
            measures, ended = self._measure(), False
            while not ended:
                records = replace(next(chunks), measures=measures)
                self._loss_history.add(records)
                measures, ended = {}, records.iterations.stop == self._population.iteration
                yield records

    def _measure(self) -> dict[str, np.ndarray]:
        due = [measure for measure in self._measures if self._population.iteration % (measure.every or 1) == 0]
        if not due:
            return {}
        started = time.monotonic()
        tensors = self._evaluation.measure(due, self._population, self._loss_history)
        values = {name: value.float().numpy() for name, value in tensors.items()}
        self.seconds += time.monotonic() - started
        return values
