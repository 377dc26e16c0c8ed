"""The interface of a topology: a number of experts and a distribution of graphs between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

if TYPE_CHECKING:  # importing it takes a tenth of a second, and few topologies need it
    import networkx

MOST_EXPERTS = 10_000
"""The largest number of experts: graphs are dense matrices."""
Experts = Annotated[int, Field(ge=1, le=MOST_EXPERTS)]
"""The number of nodes of a graph."""


class Topology(ABC):
    """A distribution over directed graphs of `experts` nodes, from which each member of a population draws one."""

    experts: int

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        """One graph: entry [i, j] is true if expert i receives messages from expert j. The diagonal is false."""


def adjacency(graph: Bool[Tensor, "*population expert expert"]) -> Float[Tensor, "*population expert expert"]:
    """The normalised adjacency matrix, which averages the messages that each expert receives.

    Rows sum to 1, or to 0 for an expert of in-degree 0.
    """
    edges = graph.float()
    return edges / edges.sum(-1, keepdim=True).clamp(min=1)


def from_networkx(graph: networkx.Graph[Any]) -> Bool[Tensor, "expert expert"]:
    """A networkx graph as `Topology.draw` returns one. Edges run from sender to receiver, both ways if undirected."""
    import networkx

    return torch.from_numpy(networkx.to_numpy_array(graph) != 0).T.contiguous()


def integer_seed(generator: torch.Generator) -> int:
    """A seed for a library that takes one, drawn from the member's random stream."""
    return int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
