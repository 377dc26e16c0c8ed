"""A rollout and its gradients recorded once and replayed: on a GPU, launching small kernels costs more than they do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.engines.base import Gradients
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.rollout import Games, System

Compute = Callable[[System, Weights, Tensor, Games], Gradients]
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

    Each call fills these tensors anew, so weights, graphs, games and what the architecture anneals may change.

    Args:
        compute: what is recorded.
        system: who plays what.
        parameters: weights of the right shape, as are the next two.
        mixing: each member's graph.
        games: what is played.
        record: how.
    """

    def __init__(
        self,
        compute: Compute,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        record: Record = cuda_graph,
    ) -> None:
        self._annealed = {
            name: torch.tensor(value, device=mixing.device) for name, value in system.architecture.annealed().items()
        }
        system = system._replace(architecture=_reading(system.architecture, self._annealed))
        self._parameters = Weights(parameters.flat.clone(), parameters.shapes)
        self._mixing = mixing.clone()
        state = {name: tensor.clone() for name, tensor in games.state.items()}
        self._games = Games(games.targets.clone(), games.inputs.clone(), state)
        self._result: Gradients | None = None

        def work() -> None:
            self._result = compute(system, self._parameters, self._mixing, self._games)

        self._replay = record(work)

    def __call__(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
    ) -> Gradients:
        """The result for these weights, graphs and games."""
        for name, value in system.architecture.annealed().items():
            self._annealed[name].fill_(value)
        self._parameters.flat.copy_(parameters.flat)
        self._mixing.copy_(mixing)
        self._games.targets.copy_(games.targets)
        self._games.inputs.copy_(games.inputs)
        for name, tensor in games.state.items():
            self._games.state[name].copy_(tensor)
        self._replay()
        assert self._result is not None
        loss, loss_dim, gradients = self._result  # the next call overwrites them
        return Gradients(loss.clone(), loss_dim.clone(), Weights(gradients.flat.clone(), gradients.shapes))


_recorded: dict[tuple[Any, ...], Captured] = {}
"""The latest recording, by what it was made for; older ones would hold on to the device's memory."""


def replayed(
    compute: Compute,
    steps: tuple[int, ...],
    system: System,
    parameters: Weights,
    mixing: Float[Tensor, "population expert expert"],
    games: Games,
    record: Record = cuda_graph,
) -> Gradients:
    """`compute` by replaying its recording, which is made where there is none for this system and these shapes.

    Args:
        compute: a function of the system, the weights, the graphs and the games alone, but for `steps`.
        steps: what else it depends on.
        system: who plays what.
        parameters: each member's weights.
        mixing: each member's graph.
        games: what is played.
        record: how it is recorded.
    """
    learner = system.architecture
    settings = tuple((name, value) for name, value in vars(learner).items() if name not in learner.annealed())
    shapes = tuple(tensor.shape for tensor in (mixing, games.targets, games.inputs, *games.state.values()))
    key = (type(learner), settings, system[1:], parameters.shapes, shapes, steps, mixing.device)
    if key not in _recorded:
        _recorded.clear()
        _recorded[key] = Captured(compute, system, parameters, mixing, games, record)
    return _recorded[key](system, parameters, mixing, games)


def _reading(architecture: Architecture, annealed: dict[str, Tensor]) -> Architecture:
    """The architecture with what it anneals read from tensors: a number would be recorded as it is now."""
    reading = copy.copy(architecture)
    for name, tensor in annealed.items():
        object.__setattr__(reading, name, tensor)
    return reading
