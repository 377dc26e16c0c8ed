"""The peers compute the same as we do: loss, gradient, and the weights after outer iterations on the same games."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from badger_sweeps.engines.reference import Reference
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Population
from benchmarks.peers.torch_training import Training, losses_of
from benchmarks.workloads import Size, Workload, experiment

SIZES = [Size(3, 5, 6, 4, 3), Size(3, 1, 6, 0, 3, dims=5, links=0)]
"""A Micro-Badger and an LSTM."""
ids = ["badger", "lstm"]


@pytest.mark.parametrize("size", SIZES, ids=ids)
def test_jax_gives_the_same_losses_and_gradients(size: Size) -> None:
    pytest.importorskip("jax")
    from benchmarks.peers import jax_peer

    workload = Workload.of(size, members=2)
    found = np.asarray(jax_peer.prepare(workload)())
    exact = Reference().pullback(*workload.given)
    np.testing.assert_allclose(found[:, :-1], exact.gradients[0].numpy(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[:, -1], exact.loss_dim.mean(dim=1).numpy(), rtol=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=ids)
def test_pytorch_gives_the_same_losses_and_gradients(size: Size) -> None:
    workload = Workload.of(size, members=2)
    training = Training(size, workload.population.experiment, losses_of(size))
    losses = training.gradients(workload.games.targets, workload.games.state)
    gradients = torch.cat([weight.grad.flatten(1) for weight in training.weights.values()], dim=1)
    exact = Reference().pullback(*workload.given)
    torch.testing.assert_close(gradients, exact.gradients[0], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(losses, exact.loss_dim.mean(dim=1), rtol=1e-5, atol=0)


def clipping(size: Size) -> Experiment:
    """Three members, of whose gradients some are longer than the norm to which they are clipped, and some are not."""
    setup = experiment(size, members=3, iterations=3)
    norms = Population(setup).advance().metrics["grad_norm"][0]
    return replace(setup, training=replace(setup.training, clip_norm=float(norms.median())))


@pytest.mark.parametrize("size", SIZES, ids=ids)
def test_pytorch_updates_weights_as_we_do(size: Size) -> None:
    setup = clipping(size)
    ours, games = Population(setup), Population(setup)
    training = Training(size, setup, losses_of(size))
    for _ in range(3):
        norms = ours.advance().metrics["grad_norm"][0]
        batch = games.draw_games()
        games.iteration += 1
        training.update(batch.targets, batch.state)
        clipped = torch.cat([weight.grad.flatten(1) for weight in training.weights.values()], dim=1).norm(dim=1)
        torch.testing.assert_close(clipped, norms.clamp(max=setup.training.clip_norm), rtol=1e-4, atol=0)
    for name, weight in training.weights.items():
        torch.testing.assert_close(weight.detach(), ours.parameters[name], rtol=0, atol=2e-5)


@pytest.mark.parametrize("size", SIZES, ids=ids)
def test_jax_updates_weights_as_we_do(size: Size) -> None:
    jax = pytest.importorskip("jax")
    pytest.importorskip("optax")
    from benchmarks.peers import jax_training
    from benchmarks.peers.jax_peer import arrays

    setup = clipping(size)
    ours, games = Population(setup), Population(setup)
    optimizer = jax_training.optimizer_of(setup)
    learner, adjacency = jax_training.beginning(setup, optimizer)
    update = jax.jit(jax.vmap(jax_training.update_of(size, optimizer)))
    for _ in range(3):
        ours.advance()
        batch = games.draw_games()
        games.iteration += 1
        learner, _ = update(learner, adjacency, batch.targets.numpy(), arrays(batch.state))
    for name, weight in learner.weights.items():
        np.testing.assert_allclose(np.asarray(weight), ours.parameters[name].numpy(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("size", SIZES, ids=ids)
def test_games_have_the_distributions_of_ours(size: Size) -> None:
    """Shapes, and the first moments of 4000 games: targets from U[-1, 1], hidden states normal or zero."""
    jax = pytest.importorskip("jax")
    pytest.importorskip("optax")
    from benchmarks.peers import jax_training

    many = replace(size, games=4000)
    ours = Workload.of(many, members=1).games
    targets, state = jax_training.draw(many, jax.random.key(0))
    drawn_by_pytorch = Training(many, experiment(many, 1), losses_of(many)).draw()
    of_jax = (np.asarray(targets)[None], {name: np.asarray(array)[None] for name, array in state.items()})
    of_pytorch = (drawn_by_pytorch[0].numpy(), {name: tensor.numpy() for name, tensor in drawn_by_pytorch[1].items()})
    for found_targets, found_state in (of_jax, of_pytorch):
        assert (found_targets.min(), found_targets.max()) == pytest.approx((-1, 1), abs=0.01)
        pairs = [(found_targets, ours.targets), *((found_state[name], ours.state[name]) for name in ours.state)]
        assert found_state.keys() == ours.state.keys()
        for found, exact in pairs:
            assert found.shape == exact.shape
            assert found.mean() == pytest.approx(float(exact.mean()), abs=0.03)
            assert found.std() == pytest.approx(float(exact.std()), abs=0.03)
