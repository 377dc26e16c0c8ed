"""The outer loop, as a generator: it trains and yields; whoever wants to know consumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from badger_sweeps.training.population import Population


@dataclass(frozen=True)
class Record:
    """What one outer iteration measured, before its update.

    Attributes:
        iteration: counts from 0, where the weights are the initial ones.
        seeds: the members that took part, in the population's order. A member that diverges is listed in the
            iteration in which it did, with its non-finite values, and not again.
        metrics: by name, one value for each of `seeds`.
    """

    iteration: int
    seeds: tuple[int, ...]
    metrics: dict[str, np.ndarray]


def metric_names(dims: int) -> list[str]:
    """The metrics of every record, in the order of history's columns."""
    return ["loss", *(f"loss_dim/{dim}" for dim in range(dims)), "grad_norm"]


def train(population: Population) -> Iterator[Record]:
    """Train from where the population stands to the experiment's last iteration.

    When a record is yielded its update has been applied: `population.state_dict()` is then the state after
    ``record.iteration + 1`` iterations. Ends early when no member is active any more.
    """
    experiment = population.experiment
    training = experiment.training
    experiment.engine.prepare()
    while not population.finished:
        iteration, took_part = population.iteration, population.active
        step = experiment.engine.gradients(
            experiment.system,
            population.parameters,
            population.mixing,
            population.draw_games(),
            training.inner_steps,
            training.loss_steps,
        )
        norms = population.update(step)
        members = took_part.nonzero().flatten()
        columns = [step.loss, *step.loss_dim.unbind(dim=1), norms]
        values = [column[members].cpu().numpy() for column in columns]
        names = metric_names(experiment.task.dims)
        seeds = tuple(experiment.seeds[member] for member in members.tolist())
        yield Record(iteration, seeds, dict(zip(names, values, strict=True)))
