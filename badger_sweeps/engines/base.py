"""What an engine is: it plays a population's games, with gradients or without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import State
from badger_sweeps.core.weights import Weights
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games, System

FORWARD, BACKWARD = 1, 2
"""What a forward and a backward pass through a batch of games cost, in rollouts: each weight meets every state once on
the way there, and twice on the way back."""


class Losses(NamedTuple):
    """What a batch of games costs at some weights."""

    losses: Float[Tensor, "population game dim"]
    """The outer objective (`OuterObjective.losses`)."""
    loss_dim: Float[Tensor, "population dim"]
    """The normalised error after the last inner step, whatever the objective averages over; its mean over games."""


class Pullback(NamedTuple):
    """`Losses`, and gradients with respect to each member's weights."""

    losses: Float[Tensor, "population game dim"]
    loss_dim: Float[Tensor, "population dim"]
    gradients: Float[Tensor, "part population weight"]
    """Of each part, one for each of the cotangents."""


class Trace(NamedTuple):
    """What a forward pass through a batch of games leaves."""

    guesses: Float[Tensor, "step population game dim"]
    """The guess after each inner step."""
    states: State
    """The states that were asked for, by name; the inner steps that were asked for are their first axis."""


class ResolvedEngine(NamedTuple):
    """The engine that will run a configuration."""

    engine: Engine
    words: str
    """Which it is and why, in one line for the user."""


class Engine(ABC):
    """Computes `Losses`, `Pullback` and `Trace`. Engines differ in speed, never in meaning.

    Weights and games belong to the members of a population, each with its own; games and graphs whose population axis
    has length 1 are shared by all members, and held once.
    """

    @property
    @abstractmethod
    def thread_count(self) -> int:
        """How many threads it may use; others may use as many while it rests."""

    @abstractmethod
    def refusal(self, system: System, device: torch.device) -> str | None:
        """Why it does not serve `system` on `device`, as a clause for the user; None if it does, in all it offers."""

    @abstractmethod
    def resolve(self, system: System, device: torch.device) -> ResolvedEngine:
        """The engine that runs `system` on `device`, made ready: this one, or the reference where it does not serve.

        Called before the first iteration; it may claim the processor and may take seconds.
        """

    @abstractmethod
    def losses(self, objective: OuterObjective, parameters: Weights, games: Games) -> Losses:
        """The outer objective at each member's weights, without gradients, in chunks that fit into memory.

        Members may be any points of weight space, tens of thousands of them: many points on the games of one member are
        as many members with `games.of` and `objective.of` that member, which are held once.
        """

    @abstractmethod
    def pullback(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "part population game dim"] | None = None,
    ) -> Pullback:
        """The gradients of weighted sums of `OuterObjective.losses`, several at once.

        Args:
            objective: what is differentiated.
            parameters: where.
            games: what is played.
            cotangents: c of each part, whose gradient is that of the sum over games and dimensions of c * losses; null
                for one part, the mean. `by_dimension` gives those of the Jacobian.
        """

    @abstractmethod
    def rollout(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        """Play without gradients.

        Args:
            objective: who plays what, for how many inner steps.
            parameters: each member's weights.
            games: what is played.
            states: the names of the states to hand back.
            steps: after which inner steps, counted from 0; null for all. Negative ones count from the end.
        """


def by_dimension(games: Games, population: int) -> Float[Tensor, "part population game dim"]:
    """Cotangents of one part for each dimension: its mean loss over games. The mean of the parts is the outer loss."""
    _, count, dims = games.targets.shape
    return (torch.eye(dims).to(games.targets) / count)[:, None, None].expand(dims, population, count, dims)


def check_cotangents(cotangents: Tensor, losses: Tensor) -> None:
    """Refuse cotangents that do not weigh these losses.

    Raises:
        ValueError: they are of no part, or not shaped as the losses of each.
    """
    if not len(cotangents) or cotangents.shape[1:] != losses.shape:
        rule = f"must have the shape (parts, {', '.join(map(str, losses.shape))}), with one part or more"
        raise ValueError(f"`cotangents` {rule}; found {tuple(cotangents.shape)}")


def cost(parts: int) -> int:
    """What a `pullback` of so many parts costs, in rollouts: the forward pass is shared."""
    return FORWARD + BACKWARD * parts


def chosen_steps(inner_steps: int, steps: Sequence[int] | None) -> list[int]:
    """`steps` counted from 0, as `Engine.rollout` takes them.

    Raises:
        ValueError: one is not within the rollout, or is there twice.
    """
    chosen = [range(inner_steps)[step] for step in steps] if steps is not None else list(range(inner_steps))
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"`steps` must all be different; found {list(steps or ())} of {inner_steps}")
    return chosen
