"""Recording and replaying: on the CPU by computing anew on the recorded tensors, on a GPU with CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.engines import cuda_graph
from badger_sweeps.engines.base import by_dimension
from badger_sweeps.engines.reference import Reference, _pullback
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

from .cases import Case, case, world

ARCHITECTURES = [GRU(hidden=7, message=3), TCNN(hidden=6, message=2, z=3.0, beta=0.3), LSTM(hidden=6)]


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have recorded would be replayed."""
    monkeypatch.setattr(cuda_graph, "_recorded", {})


class Recorder:
    """Stands in for a CUDA graph: replaying does the recorded work again, on the same tensors."""

    def __init__(self) -> None:
        self.recordings = 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recordings += 1
        return work


def batches(architecture: Architecture) -> list[Case]:
    """Three outer iterations, each with other weights, graphs and games."""
    experts = 1 if architecture.single_agent else 5
    return [case(world(architecture).at(iteration), experts=experts, seed=iteration) for iteration in range(3)]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
def test_a_replay_is_what_computing_anew_would_be(architecture: Architecture, several: bool) -> None:
    """To the bit, although weights, graphs, games, cotangents and what is annealed have changed since the recording."""
    recorder = Recorder()
    kept = []
    cotangents = [
        (number + 1) * by_dimension(batches(architecture)[0].games, 2) if several else None for number in range(3)
    ]
    for played, weighting in zip(batches(architecture), cotangents, strict=True):
        kept.append(cuda_graph.graphed_pullback(_pullback, *played, weighting, record=recorder))
    assert recorder.recordings == 1
    for replayed, played, weighting in zip(kept, batches(architecture), cotangents, strict=True):
        anew = played.on(Reference(), weighting)
        assert all(torch.equal(one, other) for one, other in zip(replayed, anew, strict=True))


def test_another_system_or_shape_is_recorded_anew() -> None:
    recorder = Recorder()
    first, *_ = batches(GRU(hidden=7, message=3))
    others = [
        first,
        case(first.objective.system, games=8),
        case(world(GRU(hidden=7, message=3, reset_gate=False))),
        first.having(loss_steps=2),
    ]
    for count, played in enumerate(others, start=1):
        replayed = cuda_graph.graphed_pullback(_pullback, *played, None, record=recorder)
        assert recorder.recordings == count
        assert torch.equal(replayed.gradients, played.on(Reference()).gradients)


def test_training_and_one_measure_beside_it_keep_their_recordings() -> None:
    recorder = Recorder()
    first, *_ = batches(GRU(hidden=7, message=3))
    measured = case(first.objective.system, games=9)
    for _ in range(3):
        for played in (first, first, measured):
            cuda_graph.graphed_pullback(_pullback, *played, None, record=recorder)
    assert recorder.recordings == 2


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@needs_gpu
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
def test_cuda_graphs_agree_with_the_cpu(architecture: Architecture) -> None:
    for played in batches(architecture):
        there = Case(
            replace(played.objective, adjacency=played.objective.adjacency.cuda()),
            type(played.parameters)(played.parameters.flat.cuda(), played.parameters.shapes),
            type(played.games)(
                played.games.targets.cuda(),
                played.games.inputs.cuda(),
                {name: state.cuda() for name, state in played.games.state.items()},
            ),
        )
        found, exact = there.on(Reference()), played.on(Reference())
        torch.testing.assert_close(found.gradients.cpu(), exact.gradients, rtol=1e-4, atol=1e-6)


@needs_gpu
def test_a_run_on_the_gpu_learns() -> None:
    settings = Training(iterations=300, batch_size=64, inner_steps=10)
    members = Population(Experiment(task=GuessingGame(dims=1), training=settings, seeds=(0, 1), device="cuda"))
    assert (
        members.engine_description == "reference engine (PyTorch, CUDA graph), since the native engine runs on the CPU"
    )
    losses = [record.metrics["loss"].mean() for record in train(members)]
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
