"""Recording and replaying: on the CPU by computing anew on the recorded tensors, on a GPU with CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.engines import captured
from badger_sweeps.engines.reference import Reference, _gradients
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.rollout import System
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

from .cases import Case, case

ARCHITECTURES = [GRU(hidden=7, message=3), TCNN(hidden=6, message=2, z=3.0, beta=0.3), LSTM(hidden=6)]


class Recorder:
    """Stands in for a CUDA graph: replaying does the recorded work again, on the same tensors."""

    def __init__(self) -> None:
        self.recordings = 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recordings += 1
        return work


def batches(architecture: Architecture) -> list[Case]:
    """Three outer iterations, each with weights, graphs and games of its own."""
    system = System(architecture, Mean(), GuessingGame(dims=3), MeanSquaredError())
    experts = 1 if architecture.solitary else 5
    return [case(system.at(iteration), experts=experts, seed=iteration) for iteration in range(3)]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
def test_a_replay_is_what_computing_anew_would_be(architecture: Architecture) -> None:
    """To the bit, although weights, graphs, games and what is annealed have changed since the recording."""
    recorder = Recorder()
    kept = []
    for played in batches(architecture):
        steps = (played.inner_steps, played.loss_steps)
        compute = partial(_gradients, inner_steps=steps[0], loss_steps=steps[1])
        kept.append(captured.replayed(compute, steps, *played[:4], record=recorder))
    assert recorder.recordings == 1
    for replayed, played in zip(kept, batches(architecture), strict=True):
        anew = played.on(Reference())
        assert torch.equal(replayed.gradients.flat, anew.gradients.flat)
        assert torch.equal(replayed.loss_dim, anew.loss_dim)
        assert torch.equal(replayed.loss, anew.loss)


def test_another_system_or_shape_is_recorded_anew() -> None:
    recorder = Recorder()
    first, *_ = batches(GRU(hidden=7, message=3))
    others = [
        first,
        case(first.system, games=8),
        case(first.system._replace(architecture=GRU(hidden=7, message=3, reset_gate=False))),
        first._replace(loss_steps=2),
    ]
    for count, played in enumerate(others, start=1):
        steps = (played.inner_steps, played.loss_steps)
        compute = partial(_gradients, inner_steps=steps[0], loss_steps=steps[1])
        replayed = captured.replayed(compute, steps, *played[:4], record=recorder)
        assert recorder.recordings == count
        assert torch.equal(replayed.gradients.flat, played.on(Reference()).gradients.flat)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@needs_gpu
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
def test_cuda_graphs_agree_with_the_cpu(architecture: Architecture) -> None:
    for played in batches(architecture):
        there = played._replace(
            parameters=type(played.parameters)(played.parameters.flat.cuda(), played.parameters.shapes),
            mixing=played.mixing.cuda(),
            games=type(played.games)(
                played.games.targets.cuda(),
                played.games.inputs.cuda(),
                {name: state.cuda() for name, state in played.games.state.items()},
            ),
        )
        found, exact = there.on(Reference()), played.on(Reference())
        torch.testing.assert_close(found.gradients.flat.cpu(), exact.gradients.flat, rtol=1e-4, atol=1e-6)


@needs_gpu
def test_a_run_on_the_gpu_learns() -> None:
    settings = Training(iterations=300, batch_size=64, inner_steps=10)
    members = Population(Experiment(task=GuessingGame(dims=1), training=settings, seeds=(0, 1), device="cuda"))
    assert members.engine_words == "reference engine (PyTorch, CUDA graph), since the native engine runs on the CPU"
    losses = [record.metrics["loss"].mean() for record in train(members)]
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
