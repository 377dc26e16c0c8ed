"""Losses without gradients, and gradients of any cotangents at once, beside autograd in float64."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.lstm_quantized import LSTMQuantized
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines import reference
from badger_sweeps.engines.base import Engine, by_dimension
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.reference import Reference
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.rollout import Games
from badger_sweeps.tasks.frequency import Frequency

from .cases import Case, case, distance, world

ENGINES = [Native(), Reference()]
ARCHITECTURES: list[Architecture] = [
    GRU(hidden=17, message=3),
    GRU(hidden=5, message=9, reset_gate=False),
    TCNN(hidden=20, message=6, z=5.0),
    LSTM(hidden=24),
    LSTMQuantized(hidden=24, range=1.25),
]
BOUND = 5e-6
"""Relative; what is promised of the native engine's gradients (`test_gradients`)."""


def played(architecture: Architecture, **sizes: int) -> Case:
    """Loss and feedback differ."""
    system = world(architecture, loss=MeanAbsoluteError(), feedback=MeanSquaredError())
    return case(system, experts=1 if architecture.single_agent else 5, **sizes)


def jacobian(given: Case, member: int, cotangents: torch.Tensor) -> torch.Tensor:
    """By torch.func, in float64: the rows of the objective's pure function, contracted."""
    one, shapes = given.member(member).double(), given.parameters.shapes

    def losses(flat: torch.Tensor) -> torch.Tensor:
        return one.objective.losses(Weights(flat[None], shapes), one.games)[0]

    rows = torch.func.jacrev(losses)(one.parameters.flat[0])
    return torch.einsum("pgd,gdw->pw", cotangents[:, member].double(), rows)


@pytest.mark.parametrize("loss_steps", [1, 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
@pytest.mark.parametrize("engine", ENGINES)
def test_any_cotangents(engine: Engine, architecture: Architecture, loss_steps: int) -> None:
    given = played(architecture, games=5, loss_steps=loss_steps)
    cotangents = torch.randn(3, 2, 5, 3, generator=torch.Generator().manual_seed(1))
    found = given.on(engine, cotangents)
    for member in range(2):
        exact = jacobian(given, member, cotangents)
        for part in range(3):
            assert distance(found.gradients[part, member], exact[part]) < BOUND
    exact_losses = given.double().objective.losses(given.double().parameters, given.double().games)
    torch.testing.assert_close(found.losses.double(), exact_losses, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_mean_of_the_dimensions_is_the_gradient(engine: Engine) -> None:
    given = played(GRU(hidden=17, message=3), games=20)
    found = given.on(engine, by_dimension(given.games, 2))
    assert found.gradients.shape == (3, 2, given.parameters.flat.shape[1])
    torch.testing.assert_close(found.gradients.mean(dim=0), given.on(engine).gradients[0], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_part_is_the_same_whichever_are_asked_for_beside_it(engine: Engine) -> None:
    given = played(GRU(hidden=17, message=3), games=20)
    cotangents = torch.randn(4, 2, 20, 3, generator=torch.Generator().manual_seed(1))
    together = given.on(engine, cotangents)
    for part in range(4):
        assert torch.equal(given.on(engine, cotangents[part : part + 1]).gradients[0], together.gradients[part])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_single_game_s_gradient(engine: Engine) -> None:
    """The cotangent of one game in one dimension: the others' gradients do not come in."""
    given = played(GRU(hidden=17, message=3), games=9)
    cotangents = torch.zeros(1, 2, 9, 3)
    cotangents[0, :, 4, 1] = 1
    found = given.on(engine, cotangents).gradients[0]
    one = given._replace(games=given.games.of(slice(None)))
    alone = Games(
        one.games.targets[:, 4:5], one.games.inputs[:, 4:5], {k: v[:, 4:5] for k, v in one.games.state.items()}
    )
    dim = torch.zeros(1, 2, 1, 3)
    dim[..., 1] = 1
    torch.testing.assert_close(found, engine.pullback(given.objective, given.parameters, alone, dim).gradients[0])


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, SupervisedLSTM(hidden=6)], ids=repr)
@pytest.mark.parametrize("engine", ENGINES)
def test_losses_are_those_of_the_pullback(engine: Engine, architecture: Architecture) -> None:
    if architecture.supervised:
        if isinstance(engine, Native):
            return  # not served
        given = case(world(architecture, Frequency(dims=7)), experts=1, inner_steps=1)
    else:
        given = played(architecture, games=20, loss_steps=2)
    found, with_gradients = engine.losses(*given), given.on(engine)
    torch.testing.assert_close(found.losses, with_gradients.losses, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.loss_dim, with_gradients.loss_dim, rtol=1e-6, atol=1e-6)


def shared(given: Case, members: int) -> tuple[Case, Case]:
    """So many points of weight space on one member's games and graph: held once, and repeated."""
    generator = torch.Generator().manual_seed(2)
    one = given.member(0)
    flat = one.parameters.flat + 0.1 * torch.randn(members, one.parameters.flat.shape[1], generator=generator)
    once = one._replace(parameters=Weights(flat, one.parameters.shapes))
    games = Games(*(tensor.repeat(members, *[1] * (tensor.ndim - 1)) for tensor in once.games[:2]), {})
    state = {name: tensor.repeat(members, *[1] * (tensor.ndim - 1)) for name, tensor in once.games.state.items()}
    repeated = once._replace(games=games._replace(state=state))
    return once, repeated.having(adjacency=one.objective.adjacency.repeat(members, 1, 1))


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
@pytest.mark.parametrize("engine", ENGINES)
def test_shared_games_are_everybody_s(engine: Engine, architecture: Architecture) -> None:
    """Losses, gradients and rollouts are those of repeated games: by the kernel to the bit, by PyTorch up to how it
    rounds products over other strides."""
    once, repeated = shared(played(architecture, games=20), members=4)
    assert len(once.games.targets) == len(once.objective.adjacency) == 1
    bound = 0.0 if isinstance(engine, Native) else 1e-4
    expanded = once._replace(games=once.games.expanded(4))
    for held_once in (once, expanded):
        for found, expected in (
            (engine.losses(*held_once).losses, engine.losses(*repeated).losses),
            (held_once.on(engine).gradients, repeated.on(engine).gradients),
            (engine.rollout(*held_once).guesses, engine.rollout(*repeated).guesses),
        ):
            torch.testing.assert_close(found, expected, rtol=bound, atol=bound)


def test_the_reference_goes_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks of single members what comes out is what comes out at once, of separate and of shared games."""
    once, repeated = shared(played(GRU(hidden=17, message=3), games=20), members=5)
    whole = Reference().losses(*once)
    monkeypatch.setattr(reference, "CHUNK_NUMBERS", 1)
    for given in (once, repeated):
        for one, other in zip(Reference().losses(*given), whole, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


POINTS = """
import resource, sys, torch
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.reference import Reference
from badger_sweeps.core.weights import Weights
from tests.engines.cases import case, world
engine = Native() if sys.argv[1] == "native" else Reference()
one = case(world(GRU(hidden=16, message=4)), members=1, games=64, experts=16, density=0.3, inner_steps=4)
flat = one.parameters.flat.repeat(10_000, 1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = engine.losses(one.objective, Weights(flat, one.parameters.shapes), one.games)
assert found.losses.shape == (10_000, 64, 3)
assert torch.isfinite(found.losses).all()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("engine", ["native", pytest.param("reference", marks=pytest.mark.slow)])
def test_ten_thousand_points_of_weight_space_fit_into_memory(engine: str) -> None:
    """All their hidden states at once would take 10 000 * 64 * 16 * 16 * 4 bytes, 650 MB, and some times that in
    passing; a chunk holds 64 MB of them. What is handed back takes 8 MB."""
    answer = subprocess.run(
        [sys.executable, "-c", POINTS, engine], capture_output=True, text=True, check=True, timeout=300
    )
    assert float(answer.stdout) < 640


def test_torch_func_composes_with_the_objective() -> None:
    """A Hessian-vector product, and gradients game by game with vmap: what curvature and natural gradients need."""
    given = played(GRU(hidden=3, message=2), members=1, games=4).double()
    shapes = given.parameters.shapes

    def mean(flat: torch.Tensor) -> torch.Tensor:
        return given.objective.losses(Weights(flat[None], shapes), given.games).mean()

    flat = given.parameters.flat[0]
    vector = torch.randn(len(flat), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    product = torch.func.jvp(torch.func.grad(mean), (flat,), (vector,))[1]
    nearby = [torch.func.grad(mean)(flat + step * vector) for step in (1e-6, -1e-6)]
    torch.testing.assert_close(product, (nearby[0] - nearby[1]) / 2e-6, rtol=1e-4, atol=1e-6)

    def of_game(flat: torch.Tensor, targets: torch.Tensor, h: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        games = Games(targets[None, None], given.games.inputs[:, :1], {"h": h[None, None], "m": m[None, None]})
        return given.objective.losses(Weights(flat[None], shapes), games).mean()

    state = given.games.state
    each = torch.func.vmap(torch.func.grad(of_game), in_dims=(None, 0, 0, 0))(
        flat, given.games.targets[0], state["h"][0], state["m"][0]
    )
    torch.testing.assert_close(each.mean(dim=0), torch.func.grad(mean)(flat))
