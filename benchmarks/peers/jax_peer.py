"""JAX as its documentation would have it: one member's loss with `lax.scan`, `vmap` over members, `grad`, `jit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from torch import Tensor

from benchmarks.workloads import Size, Workload


def member_loss(size: Size) -> Callable[..., jax.Array]:
    """The loss of one member: a function of its weights, its adjacency, and its games' targets and initial states."""

    def badger(w: dict, adjacency: jax.Array, carry: tuple, error: jax.Array) -> tuple:
        h, m = carry
        shown = jnp.broadcast_to(error[:, None, None], (*h.shape[:2], 1))
        x = jnp.concatenate([jnp.einsum("ij,bjm->bim", adjacency, m), shown], axis=-1)
        pre = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
        z, v = jnp.split(pre, 2, axis=-1)
        z, v = jax.nn.sigmoid(z), jnp.tanh(v)
        h = z * h + (1 - z) * v
        out = h @ w["weight_out"].T + w["bias_out"]
        return (h, out[..., : size.message]), out[..., size.message :].mean(axis=1)

    def lstm(w: dict, adjacency: jax.Array, carry: tuple, error: jax.Array) -> tuple:
        h, c, guess = carry
        x = jnp.concatenate([guess, error[:, None]], axis=-1)
        pre = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
        i, f, g, o = jnp.split(pre, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        guess = h @ w["weight_out"].T + w["bias_out"]
        return (h, c, guess), guess

    def loss(w: dict, adjacency: jax.Array, targets: jax.Array, state: dict) -> jax.Array:
        learner = badger if size.message else lstm
        guess = jnp.zeros_like(targets)
        carry = (state["h"], state["m"]) if size.message else (state["h"], state["c"], guess)

        def step(carried: tuple, _: None) -> tuple:
            carry, guess = carried
            error = 3 * jnp.square(guess - targets).mean(axis=-1)
            return learner(w, adjacency, carry, error), None

        (_, guess), _ = jax.lax.scan(step, (carry, guess), None, length=size.steps)
        return 3 * jnp.square(guess - targets).mean()

    return loss


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, jax.Array]:
    """PyTorch's tensors as JAX's arrays, by the same names."""
    return {name: jnp.asarray(tensor.numpy()) for name, tensor in tensors.items()}


def prepare(workload: Workload) -> Callable[[], jax.Array]:
    """A function that computes the gradients of all members, one row for each, and their losses in the last column."""
    population, games = workload.population, workload.games
    weights, loss = arrays(population.parameters), member_loss(workload.size)
    adjacency, targets = jnp.asarray(population.objective.adjacency.numpy()), jnp.asarray(games.targets.numpy())
    state = arrays(games.state)

    def flattened(w: dict, *others: object) -> jax.Array:
        value, by_name = jax.value_and_grad(loss)(w, *others)
        return jnp.concatenate([by_name[name].ravel() for name in weights] + [value[None]])

    gradients = jax.jit(jax.vmap(flattened))
    return lambda: gradients(weights, adjacency, targets, state).block_until_ready()
