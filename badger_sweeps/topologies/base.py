"""What a topology is: a number of experts and a way to draw who listens to whom."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Topology(ABC):
    """A distribution over directed graphs of `experts` nodes; each member of a population draws its own."""

    experts: int

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        """One graph: entry [i, j] is true where expert i listens to expert j; nobody listens to itself."""


def mixing(listens: Bool[Tensor, "*population expert expert"]) -> Float[Tensor, "*population expert expert"]:
    """The matrix that averages the messages each expert hears: rows sum to 1, or to 0 for an expert that hears none."""
    links = listens.float()
    return links / links.sum(-1, keepdim=True).clamp(min=1)
