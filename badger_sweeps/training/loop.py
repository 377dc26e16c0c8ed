"""The outer loop, as generators: they train and yield records, which history, tracker and progress bar consume."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from badger_sweeps.core.columns import NORMALISED_ERROR, Columns, columns, metric
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Iterations, Population

LONGEST = 64
"""Most iterations of one call of `Population.advance`."""
SECONDS = 0.05
"""Least time, about, of such a call: short, so that progress is seen and signals are answered, and still so long that
what is done between two calls takes a small share. It changes no number."""


@dataclass(frozen=True)
class Record:
    """The metrics of one outer iteration, before its update.

    Attributes:
        iteration: counts from 0, where the weights are the initial ones.
        seeds: the members that took part, in the population's order. A member that diverges is listed in the
            iteration in which it did, and not again.
        metrics: by name, one value for each of `seeds`; the same names in every record.
        measures: the measures that were due, by name; for each of `seeds` a number or a vector.
    """

    iteration: int
    seeds: tuple[int, ...]
    metrics: dict[str, np.ndarray]
    measures: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Records:
    """The records of consecutive iterations in which the same members took part.

    Attributes:
        iterations: the iterations.
        seeds: the members.
        metrics: by name, the values of all records: an array (iteration, seed).
        measures: those of the first record; the others have none.
    """

    iterations: range
    seeds: tuple[int, ...]
    metrics: dict[str, np.ndarray]
    measures: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record) -> Records:
        """The records that consist of this one."""
        iterations = range(record.iteration, record.iteration + 1)
        metrics = {name: values[None] for name, values in record.metrics.items()}
        return cls(iterations, record.seeds, metrics, record.measures)

    def __iter__(self) -> Iterator[Record]:
        for position, iteration in enumerate(self.iterations):
            metrics = {name: values[position] for name, values in self.metrics.items()}
            yield Record(iteration, self.seeds, metrics, {} if position else self.measures)

    def __len__(self) -> int:
        return len(self.iterations)


DIVERGED = "diverged"
"""The metric that is 1 in the iteration in which a member diverges, its last, and 0 in all others."""


def metric_columns(experiment: Experiment) -> Columns:
    """The metrics of every record, in the order of history's columns.

    The metrics of the update rule follow the losses. ``diverged`` is 1 where a member diverged, as the rule defines it.
    ``cost/evaluations`` is the cost of a member up to and including this iteration, in rollouts of its batch: 1 forward
    only, 3 with its gradient; exact up to 2^24, since columns are in float32. ``schedule/*`` are the scheduled
    quantities: the learning rate, and the annealed settings of the architecture.
    """
    by_dim = (
        metric(
            f"loss_dim/{dim}", f"Loss of dimension {dim}", NORMALISED_ERROR, per="dimension", section="Loss",
            panel="Loss of each dimension",
        )
        for dim in range(experiment.task.dims)
    )  # fmt: skip
    cost = "Cost of a seed so far: a rollout of its batch counts 1, with its gradient 3"
    scheduled = ("lr", *experiment.architecture.annealed())
    return columns(
        metric(
            "loss", "Loss", NORMALISED_ERROR, shown=True, section="Loss", panel="Loss, and the nearest staircase level"
        ),
        *by_dim,
        *experiment.rule.metrics,
        metric(DIVERGED, "1 in the iteration in which a seed diverged", drawn=False),
        metric("cost/evaluations", cost, "rollouts", drawn=False),
        *(metric(f"schedule/{name}", f"Scheduled value of {name}", drawn=False) for name in scheduled),
    )


def train(population: Population) -> Iterator[Record]:
    """Train a population from its current iteration to the experiment's last one.

    When a record is yielded its update has been applied: `population.state_dict()` is then the state after
    ``record.iteration + 1`` iterations. Ends early when no member is active any more.
    """
    for records in train_in_chunks(population, lambda iteration: iteration + 1):
        yield from records


def train_in_chunks(population: Population, next_stop: Callable[[int], int]) -> Iterator[Records]:
    """`train`, several iterations at a time, which is faster and gives the same numbers.

    The population is ahead of the records if a member diverges among several iterations, which are then yielded in
    pieces with the same seeds; at the last piece its state is that after all iterations that were yielded.

    Args:
        population: the population.
        next_stop: gives, for the current iteration, a later one at which the caller needs the population's state; no
            call of `Population.advance` passes it.
    """
    names = list(metric_columns(population.experiment))
    count, last = 1, population.experiment.training.iterations
    while not population.finished:
        stop = min(last, next_stop(population.iteration))
        count = max(1, min(count, stop - population.iteration))
        started = time.perf_counter()
        done = population.advance(count)
        seconds = (time.perf_counter() - started) / count
        yield from _records(population, names, done)
        count = min(LONGEST, 1 + int(SECONDS / max(seconds, 1e-9)))


def next_multiple(every: int | None, iteration: int) -> int:
    """The next multiple of `every` after `iteration`; without `every` never, which is a number that no run reaches."""
    return sys.maxsize if every is None else (iteration // every + 1) * every


def _records(population: Population, names: Sequence[str], done: Iterations) -> Iterator[Records]:
    """The records of some iterations, cut where a member has diverged."""
    experiment, iterations = population.experiment, range(done.first, done.first + len(done.active))
    scheduled = [
        [population.learning_rate(iteration), *experiment.architecture.at(iteration).annealed().values()]
        for iteration in iterations
    ]
    of_rule = [done.metrics[column.name][None].float() for column in experiment.rule.metrics]
    diverged, cost = (done.active & ~done.alive)[None].float(), done.evaluations[None].float()
    by_dim = done.loss_dim.movedim(2, 0)
    recorded = torch.cat([done.loss_dim.mean(dim=2)[None], by_dim, *of_rule, diverged, cost]).cpu().numpy()
    active = done.active.cpu().numpy()
    cuts = [0, *(np.flatnonzero((active[1:] != active[:-1]).any(axis=1)) + 1).tolist(), len(active)]
    for first, end in pairwise(cuts):
        members = np.flatnonzero(active[first])
        values = list(recorded[:, first:end, members])
        for of_iterations in np.array(scheduled, dtype=np.float32)[first:end].T:
            values.append(np.broadcast_to(of_iterations[:, None], (end - first, len(members))))
        seeds = tuple(experiment.seeds[member] for member in members.tolist())
        yield Records(iterations[first:end], seeds, dict(zip(names, values, strict=True)))
