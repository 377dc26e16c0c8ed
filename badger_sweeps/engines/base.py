"""What an engine is: loss and gradients of a whole population for one batch of games."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.foundations.axes import Parameters
from badger_sweeps.rollout import Games, System


class Gradients(NamedTuple):
    """What one backward pass through a batch of games gives."""

    loss: Float[Tensor, " population"]
    """The normalised error after the last inner step."""
    loss_dim: Float[Tensor, "population dim"]
    """The same in each dimension; its mean over dimensions is `loss`."""
    gradients: Parameters
    """The gradients of each member's outer loss with respect to its weights, by name."""


class Engine(ABC):
    """Computes `Gradients`. Engines differ in speed, never in meaning."""

    @abstractmethod
    def prepare(self) -> None:
        """Claim the processor the way this engine wants it; called once, before the first iteration."""

    @abstractmethod
    def gradients(
        self,
        system: System,
        parameters: Parameters,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        loss_steps: int,
    ) -> Gradients:
        """The outer loss is the normalised error averaged over the last `loss_steps` of `inner_steps`."""
