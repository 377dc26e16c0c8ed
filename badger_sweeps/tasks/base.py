"""What a task is: a distribution of target vectors, and the moments that set the scale of an error."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor


class Task(ABC):
    """Numbers to guess, `dims` of them per game. The learner is only ever told how wrong its guess was."""

    dims: int

    @abstractmethod
    def draw_targets(self, games: int, generator: torch.Generator) -> Float[Tensor, "game dim"]:
        """The targets of one batch for one member, drawn from that member's own stream."""

    @abstractmethod
    def absolute_moment(self, order: int) -> float:
        """E|y|^order of one target: what the error of the best constant guess, zero, is made of."""
