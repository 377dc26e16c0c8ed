"""What an engine is: it plays a population's games, with gradients or without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.foundations.axes import State
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.rollout import Games, System


class Gradients(NamedTuple):
    """What one backward pass through a batch of games gives."""

    loss: Float[Tensor, " population"]
    """The normalised error after the last inner step."""
    loss_dim: Float[Tensor, "population dim"]
    """The same in each dimension; its mean over dimensions is `loss`."""
    gradients: Weights
    """The gradient of each member's outer loss with respect to its weights."""


class Trace(NamedTuple):
    """What a forward pass through a batch of games leaves."""

    guesses: Float[Tensor, "step population game dim"]
    """The guess after each inner step."""
    states: State
    """The states that were asked for, by name; the inner steps that were asked for are their first axis."""


class Serving(NamedTuple):
    """The engine that will run a configuration."""

    engine: Engine
    words: str
    """Which it is and why, in one line for the user."""


class Engine(ABC):
    """Computes `Gradients` and `Trace`. Engines differ in speed, never in meaning."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many threads it may use; others may use as many while it rests."""

    @abstractmethod
    def serving(self, system: System, device: torch.device) -> Serving:
        """The engine that runs `system` on `device`, made ready: this one, or the reference where it does not serve.

        Called before the first iteration; it may claim the processor and may take seconds.
        """

    @abstractmethod
    def gradients(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        loss_steps: int,
    ) -> Gradients:
        """The outer loss is the normalised error averaged over the last `loss_steps` of `inner_steps`."""

    @abstractmethod
    def rollout(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        """Play without gradients.

        Args:
            system: who plays what.
            parameters: each member's weights.
            mixing: each member's graph.
            games: what is played.
            inner_steps: how many guesses a game has.
            states: the names of the states to hand back.
            steps: after which inner steps, counted from 0; null for all. Negative ones count from the end.
        """


def chosen_steps(inner_steps: int, steps: Sequence[int] | None) -> list[int]:
    """`steps` counted from 0, as `Engine.rollout` takes them.

    Raises:
        ValueError: one is not within the rollout, or is there twice.
    """
    chosen = [range(inner_steps)[step] for step in steps] if steps is not None else list(range(inner_steps))
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"`steps` must all be different; found {list(steps or ())} of {inner_steps}")
    return chosen


def check_loss_steps(inner_steps: int, loss_steps: int) -> None:
    """Refuse a loss over no step, or over more than there are.

    Raises:
        ValueError: `loss_steps` is not from 1 to `inner_steps`.
    """
    if not 1 <= loss_steps <= inner_steps:
        raise ValueError(f"`loss_steps` must be from 1 to {inner_steps}; found {loss_steps}")
