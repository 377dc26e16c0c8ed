"""Populations on which engines are compared: weights, graphs and games drawn for any system and sizes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from badger_sweeps.engines.base import Engine, Gradients
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.rollout import Games, System
from badger_sweeps.topologies.base import mixing


class Case(NamedTuple):
    system: System
    parameters: Weights
    mixing: Tensor
    games: Games
    inner_steps: int
    loss_steps: int

    def on(self, engine: Engine) -> Gradients:
        return engine.gradients(*self)

    def double(self) -> Case:
        state = {name: tensor.double() for name, tensor in self.games.state.items()}
        return self._replace(
            parameters=Weights(self.parameters.flat.double(), self.parameters.shapes),
            mixing=self.mixing.double(),
            games=Games(self.games.targets.double(), self.games.inputs.double(), state),
        )


def case(
    system: System,
    members: int = 2,
    games: int = 7,
    experts: int = 5,
    links: float = 0.4,
    inner_steps: int = 6,
    loss_steps: int = 1,
    seed: int = 0,
) -> Case:
    """`links` is the share of all possible links that are there."""
    generator = torch.Generator().manual_seed(seed)
    task, learner = system.task, system.architecture
    weights = [
        {
            **learner.initial_parameters(task.dims, task.inputs, generator),
            **system.readout.initial_parameters(experts, generator),
        }
        for _ in range(members)
    ]
    questions = [task.draw(games, generator) for _ in range(members)]
    states = [learner.initial_state(games, experts, generator) for _ in range(members)]
    listens = (torch.rand(members, experts, experts, generator=generator) < links) & ~torch.eye(experts).bool()
    played = Games(
        torch.stack([question.targets for question in questions]),
        torch.stack([question.inputs for question in questions]),
        {name: torch.stack([state[name] for state in states]) for name in states[0]},
    )
    stacked = {name: torch.stack([member[name] for member in weights]) for name in weights[0]}
    return Case(system, Weights.of(stacked), mixing(listens), played, inner_steps, loss_steps)


def distance(found: Tensor, exact: Tensor) -> float:
    """Relative, in the Euclidean norm over everything."""
    return float((found.double() - exact).norm() / exact.norm())
