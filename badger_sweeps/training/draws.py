"""What members draw from their streams: the weights they start from, and games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, stream
from badger_sweeps.core.weights import Weights
from badger_sweeps.rollout import Games
from badger_sweeps.training.experiment import Experiment


def initial_weights(experiment: Experiment) -> Weights:
    """Every member's weights before training. Drawn on the CPU, so that they do not depend on the device."""
    members = []
    for seed in experiment.seeds:
        generator = stream(seed, Purpose.WEIGHTS)
        task = experiment.task
        experts = experiment.topology.experts
        learner = experiment.architecture.initial_parameters(task.dims, task.inputs, experts, generator)
        readout = experiment.readout.initial_parameters(experts, generator)
        members.append({**learner, **readout})
    drawn = Weights.of(_stack(members))
    return Weights(drawn.flat.to(experiment.torch_device), drawn.shapes)


def draw_games(
    experiment: Experiment, games: int, targets: Sequence[torch.Generator], states: Sequence[torch.Generator]
) -> Games:
    """A batch for every member.

    Args:
        experiment: who plays what.
        games: how many each member plays.
        targets: each member's stream of questions.
        states: each member's stream of initial states.
    """
    questions = [experiment.task.draw(games, generator) for generator in targets]
    drawn = [
        experiment.architecture.initial_state(games, experiment.topology.experts, generator) for generator in states
    ]
    told, inputs = map(torch.stack, zip(*questions, strict=True))
    return Games(told, inputs, _stack(drawn))


def _stack(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([member[name] for member in members]) for name in members[0]}
