"""Both engines against float64 autograd, for every system that the native one implements."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.lstm_quantized import LSTMQuantized
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.reference import Reference
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import Games
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.tasks.guessing_game import GuessingGame

from .cases import Case, case, distance, world

# Hidden sizes on both sides of whole vectors (of 4, 8 and 16 numbers), and the smallest there are.
BADGERS: list[Architecture] = [
    GRU(hidden=17, message=3),
    GRU(hidden=1, message=1),
    GRU(hidden=32, message=8, reset_gate=False),
    GRU(hidden=5, message=9, reset_gate=False),
    Exponential(hidden=17, message=3, a=-0.4, b=1.3),
    Exponential(hidden=32, message=8, a=0.5, b=0.7, reset_gate=False),
    TCNN(hidden=20, message=6, z=0.0),
    TCNN(hidden=20, message=6, z=5.0),
]
# 1.25 has no edge at the chance error, where float32 and float64 may fall into different bins.
SINGLE_AGENT: list[Architecture] = [LSTM(hidden=24), LSTM(hidden=1), LSTMQuantized(hidden=24, range=1.25)]
# members, games, experts, density of edges: one expert; no edges; odd sizes; complete; more rows than a tile
SHAPES = [(1, 1, 1, 0.0), (2, 9, 16, 0.0), (3, 7, 5, 0.4), (2, 20, 16, 1.0), (1, 3, 70, 0.1)]

NATIVE, REFERENCE = 5e-6, 1e-6
"""What is promised; rounding in single operations is 6e-8, and 6 inner steps see up to some 1e-7 of it."""


def check(played: Case) -> None:
    exact = played.double().on(Reference())
    for engine, bound in ((Native(threads=2), NATIVE), (Reference(), REFERENCE)):
        found = played.on(engine)
        apart = distance(found.gradients, exact.gradients)
        assert apart < bound or apart < 4 * sensitivity(played), engine
        torch.testing.assert_close(found.loss_dim.double(), exact.loss_dim, rtol=bound, atol=bound)
        torch.testing.assert_close(found.losses.double(), exact.losses, rtol=10 * bound, atol=10 * bound)


def sensitivity(played: Case) -> float:
    """How far the exact gradients move when weights, targets and states are rounded to float32 another way.

    Where large terms of both signs nearly cancel, this is more than the bounds, and no float32 program can be asked for
    less than some times as much: it rounds not only its inputs. Elsewhere it is some 1e-7.
    """
    exact, generator = played.double(), torch.Generator().manual_seed(0)

    def rounded(tensor: Tensor) -> Tensor:
        return tensor * (1 + 2**-24 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))

    def moved() -> Case:
        state = {name: rounded(tensor) for name, tensor in exact.games.state.items()}
        return exact._replace(
            parameters=Weights(rounded(exact.parameters.flat), exact.parameters.shapes),
            games=Games(rounded(exact.games.targets), exact.games.inputs, state),
        )

    here = exact.on(Reference()).gradients
    return max(distance(moved().on(Reference()).gradients, here) for _ in range(4))


LOSSES = list(product((MeanSquaredError(), MeanAbsoluteError()), repeat=2))
"""The objective's and the feedback's."""


@pytest.mark.parametrize(("loss", "feedback"), LOSSES)
@pytest.mark.parametrize("architecture", BADGERS, ids=repr)
def test_badgers(architecture: Architecture, loss: Loss, feedback: Loss) -> None:
    tasks = (GuessingGame(dims=3), Frequency(dims=11))
    worlds = product(tasks, (Mean(), Weighted()), SHAPES, (1, 4))
    if feedback.order != loss.order:  # the other settings do not interact with the feedback
        worlds = product(tasks, (Weighted(),), SHAPES, (4,))
    for task, readout, shape, loss_steps in worlds:
        system = world(architecture, task, loss, feedback, readout)
        check(case(system, *shape, loss_steps=loss_steps))


@pytest.mark.parametrize(("loss", "feedback"), LOSSES)
@pytest.mark.parametrize("architecture", SINGLE_AGENT, ids=repr)
def test_single_agents(architecture: Architecture, loss: Loss, feedback: Loss) -> None:
    for task, games, loss_steps in product((GuessingGame(dims=3), Frequency(dims=11)), (1, 100), (1, 4)):
        check(case(world(architecture, task, loss, feedback), games=games, experts=1, loss_steps=loss_steps))


def test_long_rollouts_of_many_games() -> None:
    """The defaults of a run, 40 inner steps, and more games than one tile or chunk."""
    system = world(GRU(), GuessingGame())
    check(case(system, members=2, games=200, experts=16, density=0.3, inner_steps=40))


def test_small_activities_keep_their_digits() -> None:
    """States and weights a thousand times smaller than usual: tanh x must not be computed as 2 sigmoid(2x) - 1."""
    system = world(GRU(hidden=17, message=3))
    played = case(system)
    played.parameters.flat.mul_(1e-3)
    check(played)


def test_saturated_gates() -> None:
    """Weights that drive pre-activations to some hundreds: far past where exponentials overflow."""
    system = world(GRU(hidden=17, message=3))
    played = case(system, inner_steps=2)
    played.parameters["weight_hh"].mul_(200)
    exact = played.double().on(Reference())
    torch.testing.assert_close(played.on(Native()).loss_dim.double(), exact.loss_dim, rtol=1e-4, atol=0)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["weight_hh", "bias_ih", "weight_out", "bias_out"])
def test_what_is_not_finite_is_not_hidden(name: str, poison: float) -> None:
    """A member with a NaN or an infinite weight has a loss that is not finite; its neighbour's is what it was."""
    system = world(GRU(hidden=17, message=3))
    played = case(system)
    calm = played.on(Native())
    played.parameters[name][0].flatten()[-1:].fill_(poison)
    struck, reference = played.on(Native()), played.on(Reference())
    assert struck.loss_dim.isfinite().all(dim=1).tolist() == reference.loss_dim.isfinite().all(dim=1).tolist()
    assert torch.equal(struck.loss_dim[1], calm.loss_dim[1])
    assert torch.equal(struck.gradients[0, 1], calm.gradients[0, 1])
