"""The native engine beyond single gradients: threads, forward-only rollouts, whole training runs, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.engines.base import Engine
from badger_sweeps.engines.native.engine import Native, _prepare
from badger_sweeps.engines.reference import Reference
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import System
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

from .cases import Case, case, world

CPU = torch.device("cpu")


def system(architecture: Architecture) -> System:
    return world(architecture, readout=Mean() if architecture.single_agent else Weighted())


@pytest.mark.parametrize(
    "architecture", [GRU(hidden=17, message=3), TCNN(hidden=20, message=6), LSTM(hidden=24)], ids=repr
)
def test_threads_change_no_bit(architecture: Architecture) -> None:
    """With tasks that do not divide evenly among them, more threads than tasks, and work enough for all of them."""
    games, experts = (801, 1) if architecture.single_agent else (101, 16)
    played = case(system(architecture), members=3, games=games, experts=experts, inner_steps=30)
    alone = played.on(Native(threads=1))
    for threads in (2, 3, 7, 64):
        shared = played.on(Native(threads=threads))
        assert torch.equal(alone.gradients, shared.gradients)
        assert torch.equal(alone.loss_dim, shared.loss_dim)


def test_a_member_is_the_same_to_the_bit_in_any_population() -> None:
    played = case(system(GRU(hidden=17, message=3)), members=3, games=20)
    together = played.on(Native())
    for member in range(3):
        alone = played.member(member).on(Native())
        assert torch.equal(alone.gradients[0, 0], together.gradients[0, member])


def rollout(played: Case, engine: Engine, states: tuple[str, ...], steps: tuple[int, ...] | None):
    return engine.rollout(*played, states=states, steps=steps)


@pytest.mark.parametrize("steps", [None, (0, 2, 5), (-1, 0)])
@pytest.mark.parametrize(
    "architecture", [GRU(hidden=17, message=3), TCNN(hidden=20, message=6, z=5.0), LSTM(hidden=24)], ids=repr
)
def test_rollouts_hand_back_the_states_asked_for(architecture: Architecture, steps: tuple[int, ...] | None) -> None:
    """Beside the reference: 1e-5 over 6 steps of rounding 1e-7, which z = 5 amplifies."""
    played = case(system(architecture), games=20, experts=1 if architecture.single_agent else 7)
    names = tuple(played.games.state)
    for asked in (names, names[:1], names[1:], ()):
        ours, theirs = (rollout(played, engine, asked, steps) for engine in (Native(), Reference()))
        torch.testing.assert_close(ours.guesses, theirs.guesses, rtol=1e-5, atol=1e-5)
        assert ours.states.keys() == set(asked)
        for name in asked:
            torch.testing.assert_close(ours.states[name], theirs.states[name], rtol=1e-5, atol=1e-5)


def test_a_rollout_goes_on_from_any_state() -> None:
    """Six steps are three and three more, if what is shown first is the error that was left: chance, for both, here."""
    played = case(system(GRU(hidden=17, message=3)))
    first = rollout(played.having(inner_steps=3), Native(), ("h", "m"), (-1,))
    halfway = played.games._replace(state={name: state[0] for name, state in first.states.items()})
    ours, theirs = (
        rollout(played._replace(games=halfway), engine, ("h", "m"), None) for engine in (Native(), Reference())
    )
    torch.testing.assert_close(ours.guesses, theirs.guesses, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", [Native(), Reference()])
@pytest.mark.parametrize("steps", [(6,), (0, 0), (-7,)])
def test_steps_that_are_not_there(engine: Engine, steps: tuple[int, ...]) -> None:
    with pytest.raises((ValueError, IndexError)):
        rollout(case(system(GRU(hidden=17, message=3))), engine, ("h",), steps)


@pytest.mark.parametrize("loss_steps", [0, 7])
def test_a_loss_over_steps_that_are_not_there(loss_steps: int) -> None:
    with pytest.raises(ValueError, match="`loss_steps` must be from 1 to 6; found"):
        case(system(GRU(hidden=17, message=3)), loss_steps=loss_steps)


def test_arrays_that_do_not_fit_are_refused() -> None:
    """The kernel does not check memory bounds: shapes and types are checked before."""
    played = case(system(GRU(hidden=17, message=3)))
    with pytest.raises(TypeError, match="float32"):
        played.double().on(Native())
    with pytest.raises(ValueError, match="`h0` must have"):
        played._replace(games=played.games._replace(state={**played.games.state, "h": torch.zeros(2, 7, 5, 4)})).on(
            Native()
        )
    three = case(system(GRU(hidden=17, message=3)), members=3)
    with pytest.raises(ValueError, match="`adjacency` must have"):
        three.having(adjacency=three.objective.adjacency[:2]).on(Native())
    with pytest.raises(ValueError, match="`cotangents` must have"):
        played.on(Native(), torch.zeros(2, 2, 7, 4))


def losses(engine: Engine) -> np.ndarray:
    experiment = Experiment(
        architecture=GRU(hidden=16, message=4),
        topology=RandomLinks(experts=8, links=3),
        task=GuessingGame(dims=2),
        optimizer=Adam(lr=3e-3),
        engine=engine,
        training=Training(iterations=200, batch_size=32, inner_steps=10),
        seeds=(0, 1, 2, 3),
        device="cpu",
    )
    return np.array([record.metrics["loss"] for record in train(Population(experiment))])


def test_both_engines_train_the_same_run() -> None:
    """200 iterations, in which seeds leave the first plateau.

    On the plateau engines differ by rounding: 1e-5 for 100 iterations. Leaving it amplifies every difference
    exponentially, rounding too: until 200 iterations to less than 0.01 of the chance error.
    """
    native, reference = losses(Native()), losses(Reference())
    assert native[-20:].mean() < 0.9  # something was learned
    np.testing.assert_allclose(native[:100], reference[:100], atol=1e-5, rtol=0)
    np.testing.assert_allclose(native, reference, atol=1e-2, rtol=0)


def description(system: System, device: str = "cpu") -> str:
    engine, said = Native().resolve(system, torch.device(device))
    assert isinstance(engine, Reference if said.startswith("reference") else Native)
    return said


class OtherStep(GRU):
    """A subclass with another update, which the kernel does not implement."""


class OtherLoss(MeanSquaredError):
    pass


class OtherReadout(Mean):
    pass


def test_what_it_does_not_know_goes_to_the_reference() -> None:
    served = system(GRU(hidden=17, message=3))
    assert description(served).startswith("native engine (AVX")
    assert "no cell for SupervisedLSTM" in description(system(SupervisedLSTM()))
    assert "no cell for OtherStep" in description(system(OtherStep()))
    assert "does not know OtherLoss" in description(served._replace(loss=OtherLoss()))
    assert "does not know OtherLoss" in description(served._replace(feedback=OtherLoss()))
    assert "does not know OtherReadout" in description(served._replace(readout=OtherReadout()))
    assert (
        description(served, "cuda") == "reference engine (PyTorch, CUDA graph), since the native engine runs on the CPU"
    )


def test_what_it_does_not_know_is_refused_also_after_it_was_chosen() -> None:
    """A rule may put another objective in the run's place: the kernel would compute with a loss that it knows."""
    served = case(system(GRU(hidden=17, message=3)))
    for changes in ({"loss": OtherLoss()}, {"feedback": OtherLoss()}, {"readout": OtherReadout()}):
        other = served.having(system=served.objective.system._replace(**changes))
        with pytest.raises(TypeError, match="the native engine does not know Other"):
            other.on(Native())


def test_annealing_reaches_the_kernel() -> None:
    """Each outer iteration has another z, although sizes and weights are the same."""
    annealed = system(TCNN(hidden=20, message=6, z=5.0, beta=0.5))
    played = [case(annealed.at(iteration)).on(Native()) for iteration in range(3)]
    constant = [case(system(TCNN(hidden=20, message=6, z=z))).on(Native()) for z in (5.0, 2.5, 1.25)]
    for one, other in zip(played, constant, strict=True):
        assert torch.equal(one.gradients, other.gradients)
    assert not torch.equal(played[0].gradients, played[1].gradients)


def test_what_is_annealed_prepares_nothing_anew() -> None:
    """One preparation for all iterations of a run; it once was one for each."""
    annealed = system(TCNN(hidden=21, message=5, z=5.0, beta=0.5))
    prepared = _prepare.cache_info().misses
    for iteration in range(5):
        case(annealed.at(iteration)).on(Native())
    assert _prepare.cache_info().misses == prepared + 1


def test_threads_are_one_per_core_unless_given() -> None:
    import os

    cores = len(os.sched_getaffinity(0))
    assert f"{cores} thread" in description(system(GRU()))
    assert "3 threads" in replace(Native(), threads=3).resolve(system(GRU()), CPU).description
