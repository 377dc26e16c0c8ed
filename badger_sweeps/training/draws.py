"""Initial weights and games, drawn from the members' random streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, random_stream
from badger_sweeps.core.weights import Weights
from badger_sweeps.rollout import Games
from badger_sweeps.training.experiment import Experiment


def initial_weights(experiment: Experiment) -> Weights:
    """Every member's weights before training. They are drawn on the CPU, so that they do not depend on the device."""
    members = []
    for seed in experiment.seeds:
        generator = random_stream(seed, Purpose.WEIGHTS)
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
    """A batch of games for every member.

    Args:
        experiment: gives the task, the architecture and the number of experts.
        games: number of games of each member.
        targets: each member's random stream for targets and inputs.
        states: each member's random stream for initial states.
    """
    questions = [experiment.task.draw(games, generator) for generator in targets]
    drawn = [
        experiment.architecture.initial_state(games, experiment.topology.experts, generator) for generator in states
    ]
    stacked_targets, inputs = map(torch.stack, zip(*questions, strict=True))
    return Games(stacked_targets, inputs, _stack(drawn))


def _stack(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([member[name] for member in members]) for name in members[0]}
