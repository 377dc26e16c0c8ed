"""The outer loop, as a generator: it trains and yields records; history, tracker and progress bar consume them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from badger_sweeps.core.columns import NORMALISED_ERROR, Columns, columns, metric
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Population


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
    experiment = population.experiment
    names = metric_columns(experiment)
    while not population.finished:
        iteration, took_part = population.iteration, population.active
        annealed = experiment.architecture.at(iteration).annealed()
        scheduled = [population.learning_rate, *annealed.values()]
        update = population.advance()
        of_rule = [update.metrics[column.name][None].float() for column in experiment.rule.metrics]
        diverged, cost = (took_part & ~population.active)[None].float(), population.evaluations[None].float()
        recorded = torch.cat([update.loss_dim.mean(dim=1)[None], update.loss_dim.T, *of_rule, diverged, cost])
        members = took_part.nonzero().flatten()
        values = list(recorded[:, members].cpu().numpy())
        values += [np.full(len(members), value, dtype=np.float32) for value in scheduled]
        seeds = tuple(experiment.seeds[member] for member in members.tolist())
        yield Record(iteration, seeds, dict(zip(names, values, strict=True)))
