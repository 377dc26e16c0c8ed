"""The directed ring: every expert receives messages from the one before it."""

from __future__ import annotations

from typing import Annotated

import networkx as nx
import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.topologies.base import MOST_EXPERTS, Topology, from_networkx


@settings
class DirectedRing(Topology):
    """The directed cycle: E edges, the fewest of a strongly connected graph; consensus rate 1 - cos(2*pi/E).

    The same graph for every seed.
    """

    experts: Annotated[int, Field(ge=2, le=MOST_EXPERTS)] = 16

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return from_networkx(nx.cycle_graph(self.experts, create_using=nx.DiGraph))
