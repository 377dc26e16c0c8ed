"""What a topology is: a number of experts and a way to draw who listens to whom."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any

import networkx as nx
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

MOST_EXPERTS = 10_000
"""Graphs are held as dense matrices."""
Experts = Annotated[int, Field(ge=1, le=MOST_EXPERTS)]
"""How many nodes a graph has."""


class Topology(ABC):
    """A distribution over directed graphs of `experts` nodes; each member of a population draws its own."""

    experts: int

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        """One graph: entry [i, j] is true where expert i listens to expert j; nobody listens to itself."""


def adjacency(listens: Bool[Tensor, "*population expert expert"]) -> Float[Tensor, "*population expert expert"]:
    """The matrix that averages the messages each expert hears: rows sum to 1, or to 0 for an expert that hears none."""
    links = listens.float()
    return links / links.sum(-1, keepdim=True).clamp(min=1)


def listening(graph: nx.Graph[Any]) -> Bool[Tensor, "expert expert"]:
    """Who listens to whom in a networkx graph, whose edges run from sender to receiver; both ways if undirected."""
    return torch.from_numpy(nx.to_numpy_array(graph) != 0).T.contiguous()


def seed_for(generator: torch.Generator) -> int:
    """A seed for a library that takes one, drawn from the member's own stream."""
    return int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
