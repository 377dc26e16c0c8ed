"""CUDA graphs of a rollout and its gradients: on a GPU, launching small kernels takes longer than running them."""

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
"""The function that is recorded."""
GraphRecorder = Callable[[Callable[[], None]], Callable[[], object]]
"""Records the function that it is given, and returns a function that replays it."""


def record_cuda_graph(work: Callable[[], None]) -> Callable[[], object]:
    """Record `work` as a CUDA graph, after three runs on another CUDA stream, which PyTorch requires."""
    side_stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


class GraphedPullback:
    """The CUDA graph of `compute` for one system and one shape of population and games.

    A CUDA graph reads and writes the same memory at every replay. Each call copies its arguments there, so that
    weights, graphs, games, cotangents and annealed settings may change between calls.

    Args:
        compute: the function that is recorded.
        objective: its first argument; the settings that are not annealed stay as they are here.
        parameters: weights; only their shape matters, as with the next two.
        games: a batch for each member.
        cotangents: those of `Engine.pullback`.
        record: how it is recorded.
    """

    def __init__(
        self,
        compute: Compute,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "cotangent population game dim"] | None,
        record: GraphRecorder = record_cuda_graph,
    ) -> None:
        learner, device = objective.system.architecture, parameters.flat.device
        self._annealed = {name: torch.tensor(value, device=device) for name, value in learner.annealed().items()}
        system = objective.system._replace(architecture=_with_settings(learner, self._annealed))
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
        cotangents: Float[Tensor, "cotangent population game dim"] | None,
    ) -> Pullback:
        """The result of `compute` for these arguments."""
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
"""One of training and one of a measure; older ones would keep the device's memory."""
_recorded: dict[tuple[Any, ...], GraphedPullback] = {}
"""By the key that `graphed_pullback` makes; the one used last is at the end."""


def graphed_pullback(
    compute: Compute,
    objective: OuterObjective,
    parameters: Weights,
    games: Games,
    cotangents: Float[Tensor, "cotangent population game dim"] | None,
    record: GraphRecorder = record_cuda_graph,
) -> Pullback:
    """The result of `compute`, by replaying a CUDA graph, which is recorded first for a new system or new shapes.

    Args:
        compute: a function of its arguments alone.
        objective: the function that is differentiated.
        parameters: each member's weights.
        games: each member's batch.
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
        recording = GraphedPullback(compute, objective, parameters, games, cotangents, record)
    _recorded[key] = recording
    return recording(objective, parameters, games, cotangents)


def _with_settings(architecture: Architecture, annealed: dict[str, Tensor]) -> Architecture:
    """A copy whose annealed settings are tensors: a CUDA graph would keep a number as it was when recorded."""
    changed = copy.copy(architecture)
    for name, tensor in annealed.items():
        object.__setattr__(changed, name, tensor)
    return changed
