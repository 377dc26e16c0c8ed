"""A rollout and its gradients recorded once and replayed: on a GPU, launching small kernels costs more than they do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Pullback
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games

Compute = Callable[[OuterObjective, Weights, Games, Tensor | None], Pullback]
"""What is recorded."""
Record = Callable[[Callable[[], None]], Callable[[], object]]
"""Takes what is to be recorded, and gives what replays it."""


def cuda_graph(work: Callable[[], None]) -> Callable[[], object]:
    """Record `work` as a CUDA graph. It is run three times before, as PyTorch asks for, on a stream of its own."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


class Captured:
    """`compute` for one system and one shape of population and games, over tensors that stay where they are.

    Each call fills these tensors anew, so weights, graphs, games, cotangents and what the architecture anneals may
    change.

    Args:
        compute: what is recorded.
        objective: what is computed of.
        parameters: weights of the right shape, as are the next two.
        games: what is played.
        cotangents: those of `Engine.pullback`.
        record: how.
    """

    def __init__(
        self,
        compute: Compute,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "part population game dim"] | None,
        record: Record = cuda_graph,
    ) -> None:
        learner, device = objective.system.architecture, parameters.flat.device
        self._annealed = {name: torch.tensor(value, device=device) for name, value in learner.annealed().items()}
        system = objective.system._replace(architecture=_reading(learner, self._annealed))
        self._objective = replace(objective, system=system, adjacency=objective.adjacency.clone())
        self._parameters = Weights(parameters.flat.clone(), parameters.shapes)
        state = {name: tensor.clone() for name, tensor in games.state.items()}
        self._games = Games(games.targets.clone(), games.inputs.clone(), state)
        self._cotangents = None if cotangents is None else cotangents.clone()
        self._result: Pullback | None = None

        def work() -> None:
            self._result = compute(self._objective, self._parameters, self._games, self._cotangents)

        self._replay = record(work)

    def __call__(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "part population game dim"] | None,
    ) -> Pullback:
        """The result for these weights, graphs, games and cotangents."""
        for name, value in objective.system.architecture.annealed().items():
            self._annealed[name].fill_(value)
        self._parameters.flat.copy_(parameters.flat)
        self._objective.adjacency.copy_(objective.adjacency)
        self._games.targets.copy_(games.targets)
        self._games.inputs.copy_(games.inputs)
        for name, tensor in games.state.items():
            self._games.state[name].copy_(tensor)
        if self._cotangents is not None and cotangents is not None:
            self._cotangents.copy_(cotangents)
        self._replay()
        assert self._result is not None
        return Pullback(*(tensor.clone() for tensor in self._result))  # the next call overwrites them


MOST_RECORDINGS = 2
"""One of training, one of what is measured on the way; older ones would hold on to the device's memory."""
_recorded: dict[tuple[Any, ...], Captured] = {}
"""By what they were made for, the one used last at the end."""


def replayed(
    compute: Compute,
    objective: OuterObjective,
    parameters: Weights,
    games: Games,
    cotangents: Float[Tensor, "part population game dim"] | None,
    record: Record = cuda_graph,
) -> Pullback:
    """`compute` by replaying its recording, which is made where there is none for this system and these shapes.

    Args:
        compute: a function of its arguments alone.
        objective: what is computed of.
        parameters: each member's weights.
        games: what is played.
        cotangents: those of `Engine.pullback`.
        record: how it is recorded.
    """
    system, learner = objective.system, objective.system.architecture
    settings = tuple((name, value) for name, value in vars(learner).items() if name not in learner.annealed())
    tensors = (parameters.flat, objective.adjacency, games.targets, games.inputs, *games.state.values())
    shapes = (*(tensor.shape for tensor in tensors), None if cotangents is None else cotangents.shape)
    steps = (objective.inner_steps, objective.loss_steps)
    key = (type(learner), settings, system[1:], parameters.shapes, shapes, steps, parameters.flat.device)
    recording = _recorded.pop(key, None)
    if recording is None:
        while len(_recorded) >= MOST_RECORDINGS:
            del _recorded[next(iter(_recorded))]
        recording = Captured(compute, objective, parameters, games, cotangents, record)
    _recorded[key] = recording
    return recording(objective, parameters, games, cotangents)


def _reading(architecture: Architecture, annealed: dict[str, Tensor]) -> Architecture:
    """The architecture with what it anneals read from tensors: a number would be recorded as it is now."""
    reading = copy.copy(architecture)
    for name, tensor in annealed.items():
        object.__setattr__(reading, name, tensor)
    return reading
