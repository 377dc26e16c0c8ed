"""Whole training in JAX: `lax.scan` over outer iterations, `vmap` over members, `jit`, and optax's Adam."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Population
from benchmarks.contestants import Case, Turns
from benchmarks.peers.jax_peer import arrays, member_loss
from benchmarks.workloads import SIZES, Size, experiment


class Learner(NamedTuple):
    """One member in training, or with a leading axis all members."""

    weights: dict[str, jax.Array]
    optimizer: optax.OptState


def optimizer_of(setup: Experiment) -> optax.GradientTransformation:
    """The optimiser with the experiment's clipping and Adam's settings."""
    adam = setup.optimizer
    return optax.chain(
        optax.clip_by_global_norm(setup.training.clip_norm),
        optax.adam(adam.lr, b1=adam.beta1, b2=adam.beta2, eps=adam.eps),
    )


def update_of(size: Size, optimizer: optax.GradientTransformation) -> Callable[..., tuple[Learner, jax.Array]]:
    """One outer iteration of one member on given games: the next learner, and the loss before."""
    loss = member_loss(size)

    def update(learner: Learner, adjacency: jax.Array, targets: jax.Array, state: dict) -> tuple[Learner, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(learner.weights, adjacency, targets, state)
        change, optimizer_state = optimizer.update(gradient, learner.optimizer)
        return Learner(optax.apply_updates(learner.weights, change), optimizer_state), value

    return update


def draw(size: Size, key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Targets and initial states of one member's batch."""
    of_targets, of_states = jax.random.split(key)
    targets = jax.random.uniform(of_targets, (size.games, size.dims), minval=-1, maxval=1)
    if not size.message:
        zeros = jnp.zeros((size.games, size.hidden))
        return targets, {"h": zeros, "c": zeros}
    h = jax.random.normal(of_states, (size.games, size.experts, size.hidden))
    return targets, {"h": h, "m": jnp.zeros((size.games, size.experts, size.message))}


def beginning(setup: Experiment, optimizer: optax.GradientTransformation) -> tuple[Learner, jax.Array]:
    """All members with our initial weights, and their adjacency."""
    population = Population(setup)
    weights = arrays(population.parameters)
    return Learner(weights, jax.vmap(optimizer.init)(weights)), jnp.asarray(population.objective.adjacency.numpy())


def compete(case: Case, turns: Turns) -> None:
    """One jitted call for each turn, which gives the losses of its iterations."""
    size = SIZES[case.size]
    setup = experiment(size, case.members)
    optimizer = optimizer_of(setup)
    learner, adjacency = beginning(setup, optimizer)
    update = update_of(size, optimizer)

    def iterate(learner: Learner, key: jax.Array, adjacency: jax.Array) -> tuple[Learner, jax.Array, jax.Array]:
        def iteration(carried: tuple[Learner, jax.Array], _: None) -> tuple[tuple[Learner, jax.Array], jax.Array]:
            learner, key = carried
            key, of_games = jax.random.split(key)
            learner, loss = update(learner, adjacency, *draw(size, of_games))
            return (learner, key), loss

        (learner, key), losses = jax.lax.scan(iteration, (learner, key), None, length=case.turn)
        return learner, key, losses

    keys = jax.random.split(jax.random.key(0), case.members)
    began = time.perf_counter()
    train = jax.jit(jax.vmap(iterate)).lower(learner, keys, adjacency).compile()
    turns.ready(compilation=time.perf_counter() - began)
    found = [np.empty((0, case.members), np.float32)]
    while turns.wait():
        learner, keys, losses = train(learner, keys, adjacency)
        found.append(np.asarray(losses).T)
        if len(found) * case.turn > case.iterations:
            break
    turns.end(np.concatenate(found))
