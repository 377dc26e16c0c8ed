"""The interface of an engine: it computes losses, gradients and rollouts of a population's games."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_sweeps.core.axes import State
from badger_sweeps.core.weights import Weights
from badger_sweeps.optimizers.population import PopulationOptimizer
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games, System

FORWARD, BACKWARD = 1, 2
"""Cost of a forward and of a backward pass through a batch of games, in rollouts: a forward pass multiplies each weight
with every state once, a backward pass twice."""


class Losses(NamedTuple):
    """Losses of a batch of games at each member's weights."""

    losses: Float[Tensor, "population game dim"]
    """The outer objective (`OuterObjective.losses`)."""
    loss_dim: Float[Tensor, "population dim"]
    """The normalised error after the last inner step, whatever `loss_steps` is; mean over games."""


class Pullback(NamedTuple):
    """`Losses`, and gradients with respect to each member's weights."""

    losses: Float[Tensor, "population game dim"]
    loss_dim: Float[Tensor, "population dim"]
    gradients: Float[Tensor, "cotangent population weight"]
    """One gradient for each of the cotangents."""


class Trace(NamedTuple):
    """Guesses and states of a forward pass through a batch of games."""

    guesses: Float[Tensor, "step population game dim"]
    """The guess after each inner step."""
    states: State
    """The requested states, by name; their first axis is the requested inner steps."""


class Iterations(NamedTuple):
    """Consecutive outer iterations, as one call of `Engine.descend` computes them."""

    objectives: Sequence[OuterObjective]
    """The outer objective of each iteration; they differ in annealed settings alone."""
    games: Games
    """The batches of all iterations, with iteration and member on one axis, all members of an iteration together."""
    rates: Sequence[float]
    """The learning rate of each iteration."""
    active: Bool[Tensor, " population"]
    """The members that train; the others stay as they are."""
    clip_norm: float | None
    """The norm to which a longer gradient of a member is scaled down."""


class Descent(NamedTuple):
    """Several iterations of gradient descent; the values of a member after its last iteration have no meaning."""

    loss_dim: Float[Tensor, "iteration population dim"]
    """`Losses.loss_dim` at the weights before each update."""
    norms: Float[Tensor, "iteration population"]
    """The norm of each gradient, before clipping."""
    alive: Bool[Tensor, "iteration population"]
    """False from the iteration on in which a member diverged, whose weights stay as they were before it."""


class ResolvedEngine(NamedTuple):
    """The engine that will run a configuration."""

    engine: Engine
    description: str
    """The name of the engine and the reason for it, in one line for the user."""


class Engine(ABC):
    """Computes `Losses`, `Pullback` and `Trace`. Engines differ in speed and rounding, never in what they compute.

    Each member of the population has its weights, games and graph. Games and graphs whose population axis has length 1
    are shared by all members, and held once.
    """

    @property
    @abstractmethod
    def thread_count(self) -> int:
        """The number of threads that the engine may use. Between its calls other code may use as many."""

    @abstractmethod
    def refusal(self, system: System, device: torch.device) -> str | None:
        """The reason why the engine cannot run `system` on `device`, as a clause for the user; None if it can."""

    @abstractmethod
    def resolve(self, system: System, device: torch.device) -> ResolvedEngine:
        """The engine that runs `system` on `device`: this one, or the reference engine where this one refuses.

        Call it before the first iteration: it sets PyTorch's number of threads, and may take seconds to build a kernel.
        """

    @abstractmethod
    def losses(self, objective: OuterObjective, parameters: Weights, games: Games) -> Losses:
        """The outer objective at each member's weights, without gradients, in chunks that fit into memory.

        Members may be any points of weight space, tens of thousands of them. To evaluate many points on the games of
        one member, pass them as members, with `games.of` and `objective.of` that member, which are held once.
        """

    @abstractmethod
    def pullback(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "cotangent population game dim"] | None = None,
    ) -> Pullback:
        """The gradients of weighted sums of `OuterObjective.losses`, several at once.

        Args:
            objective: the function that is differentiated.
            parameters: each member's weights.
            games: each member's batch.
            cotangents: each gives the gradient of the sum over games and dimensions of cotangent * losses.
                None: the gradient of the mean alone. `by_dimension` gives the cotangents of the Jacobian.
        """

    def descend(self, iterations: Iterations, parameters: Weights, optimizer: PopulationOptimizer) -> Descent | None:
        """Several iterations of gradient descent on the mean loss, in one call; None if the engine cannot.

        It is the same as that many calls of `pullback`, each of which is followed by a step of the optimiser, up to
        rounding, and to the bit for any division of a training into calls.

        Args:
            iterations: objectives, games and learning rates.
            parameters: each member's weights, which are changed in place.
            optimizer: the optimiser of these weights, whose state is changed in place.
        """
        return None

    @abstractmethod
    def rollout(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        """Guesses and states after each inner step, without gradients.

        Args:
            objective: gives the system, the graphs and the number of inner steps.
            parameters: each member's weights.
            games: each member's batch.
            states: the names of the states to return.
            steps: the inner steps after which states are returned, counted from 0; negative ones count from the end.
                None: all.
        """


def by_dimension(games: Games, population: int) -> Float[Tensor, "cotangent population game dim"]:
    """A cotangent for the mean loss of each dimension. The mean of the gradients is that of the outer loss."""
    _, count, dims = games.targets.shape
    return (torch.eye(dims).to(games.targets) / count)[:, None, None].expand(dims, population, count, dims)


def check_cotangents(cotangents: Tensor, losses: Tensor) -> None:
    """Refuse cotangents of another shape than these losses.

    Raises:
        ValueError: there is no cotangent, or one has another shape than the losses.
    """
    if not len(cotangents) or cotangents.shape[1:] != losses.shape:
        rule = f"must have the shape (cotangents, {', '.join(map(str, losses.shape))}), with one cotangent or more"
        raise ValueError(f"`cotangents` {rule}; found {tuple(cotangents.shape)}")


def cost(gradients: int) -> int:
    """Cost of a `pullback` of so many gradients, in rollouts: one forward pass, and a backward pass for each."""
    return FORWARD + BACKWARD * gradients


def chosen_steps(inner_steps: int, steps: Sequence[int] | None) -> list[int]:
    """The argument `steps` of `Engine.rollout`, with all steps counted from 0.

    Raises:
        IndexError: a step is not within the rollout.
        ValueError: a step is there twice.
    """
    chosen = [range(inner_steps)[step] for step in steps] if steps is not None else list(range(inner_steps))
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"`steps` must all be different; found {list(steps or ())} of {inner_steps}")
    return chosen
