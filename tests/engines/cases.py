"""Populations on which engines are compared: weights, graphs and games drawn for any system and sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Engine, Pullback
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.readouts.base import Readout
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.rollout import Games, System
from badger_sweeps.tasks.base import Task
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.base import adjacency


class Case(NamedTuple):
    """What an engine is given."""

    objective: OuterObjective
    parameters: Weights
    games: Games

    def on(self, engine: Engine, cotangents: Tensor | None = None) -> Pullback:
        return engine.pullback(*self, cotangents)

    def having(self, **changes: object) -> Case:
        """With changes to its objective."""
        return self._replace(objective=replace(self.objective, **changes))

    def double(self) -> Case:
        weights = Weights(self.parameters.flat.double(), self.parameters.shapes)
        return Case(self.objective.to(torch.float64), weights, self.games.to(torch.float64))

    def member(self, which: int) -> Case:
        one = slice(which, which + 1)
        weights = Weights(self.parameters.flat[one], self.parameters.shapes)
        return Case(self.objective.of(one), weights, self.games.of(one))


def world(
    architecture: Architecture,
    task: Task | None = None,
    loss: Loss | None = None,
    feedback: Loss | None = None,
    readout: Readout | None = None,
) -> System:
    """A system on the Guessing Game in 3 dimensions; the feedback is the loss unless it is given."""
    loss = loss or MeanSquaredError()
    return System(architecture, readout or Mean(), task or GuessingGame(dims=3), loss, feedback or loss)


def case(
    system: System,
    members: int = 2,
    games: int = 7,
    experts: int = 5,
    density: float = 0.4,
    inner_steps: int = 6,
    loss_steps: int = 1,
    seed: int = 0,
) -> Case:
    """`density` is the share of all possible edges that exist."""
    generator = torch.Generator().manual_seed(seed)
    task, learner = system.task, system.architecture
    weights = [
        {
            **learner.initial_parameters(task.dims, task.inputs, experts, generator),
            **system.readout.initial_parameters(experts, generator),
        }
        for _ in range(members)
    ]
    targets, states = (
        RandomBatches.of(range(seed, seed + members), purpose) for purpose in (Purpose.TARGETS, Purpose.STATES)
    )
    questions = task.draw(games, targets)
    graph = (torch.rand(members, experts, experts, generator=generator) < density) & ~torch.eye(experts).bool()
    played = Games(questions.targets, questions.inputs, learner.initial_state(games, experts, states))
    stacked = {name: torch.stack([member[name] for member in weights]) for name in weights[0]}
    objective = OuterObjective(system, adjacency(graph), inner_steps, loss_steps)
    return Case(objective, Weights.of(stacked), played)


def distance(found: Tensor, exact: Tensor) -> float:
    """Relative, in the Euclidean norm over everything."""
    return float((found.double() - exact).norm() / exact.norm())
