"""The star: one expert exchanges messages with all others, which exchange none with each other."""

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
class Star(Topology):
    """Expert 0 is the hub: 2(E - 1) edges, algebraic connectivity 1, eigenratio E. The same graph for every seed."""

    experts: Annotated[int, Field(ge=2, le=MOST_EXPERTS)] = 16

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return from_networkx(nx.star_graph(self.experts - 1))
