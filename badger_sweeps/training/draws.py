"""Initial weights and games, drawn from the members' random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose, random_stream
from badger_sweeps.core.weights import Weights
from badger_sweeps.rollout import Games, InitialStates
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


def draw_games(experiment: Experiment, games: int, targets: RandomBatches, states: RandomBatches) -> Games:
    """A batch of games for every member, or several batches of each.

    Args:
        experiment: gives the task, the architecture and the number of experts.
        games: number of games of each batch.
        targets: the random numbers of targets and inputs.
        states: the random numbers of initial states, of the same batches.
    """
    questions = experiment.task.draw(games, targets)
    initial = InitialStates(experiment.architecture, experiment.topology.experts, states, games)
    return Games(questions.targets, questions.inputs, initial)


def _stack(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([member[name] for member in members]) for name in members[0]}
