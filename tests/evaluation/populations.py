"""Small populations at an iteration of their training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import islice
from typing import Any

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.engines.reference import Reference
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.evaluation.games import EvaluationGames
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import Records, train
from badger_sweeps.training.population import Population
from tests.choices import UNMEASURED

CHEAP: Mapping[str, Mapping[str, Any]] = {
    "cross_check": {"permutations": 2},
    "gradients": {"games": 16},
    "saddles": {"games": 8, "eigenvalues": 3},
    "inner_chaos": {"games": 3},
    "loss_chaos": {"surrogates": 19},
    "modes": {"games": 8},
}
"""Cheaper settings of measures that would take long."""


def experiment(**changes: Any) -> Experiment:
    parts: dict[str, Any] = {
        "architecture": GRU(hidden=6, message=2),
        "topology": RandomLinks(experts=3, links=1),
        "task": GuessingGame(dims=2),
        "optimizer": Adam(lr=0.01),
        "engine": Reference(),
        "training": Training(iterations=30, batch_size=16, inner_steps=6),
        "seeds": (4, 9),
        "device": "cpu",
    }
    return Experiment(**{**parts, **changes})


def measure_named(name: str) -> Measure:
    """The measure with this name, at settings that are fast enough for tests."""
    measure: Measure = replace(getattr(UNMEASURED, name), **CHEAP.get(name, {}))
    return measure


MEASURES = [each.name for each in fields(Measures) if isinstance(getattr(UNMEASURED, each.name), Measure)]


def only(name: str, every: int = 1) -> Measures:
    """Settings under which only this measure is taken."""
    return replace(UNMEASURED, **{name: replace(measure_named(name), every=every)})


def trained(setup: Experiment, iterations: int = 0) -> tuple[Population, LossHistory]:
    population, losses = Population(setup), LossHistory(setup)
    for record in islice(train(population), iterations):
        losses.add(Records.of(record))
    return population, losses


def context_after(setup: Experiment, iterations: int = 0) -> EvaluationContext:
    """The evaluation context after so many iterations of training."""
    population, losses = trained(setup, iterations)
    return EvaluationContext.of(population, EvaluationGames(setup, population.engine, 1000, 0.01), losses)
