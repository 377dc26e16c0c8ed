"""The small world of Watts and Strogatz: a ring of neighbourhoods with some edges rewired."""

from __future__ import annotations

from typing import Annotated

import networkx as nx
import torch
from jaxtyping import Bool
from pydantic import Field, model_validator
from torch import Tensor

from badger_sweeps.core.settings import broken_rule, settings
from badger_sweeps.topologies.base import MOST_EXPERTS, Topology, from_networkx, integer_seed


@settings
class SmallWorld(Topology):
    """Each expert has edges in both directions with its `links` nearest on a ring; one end of each pair may be rewired.

    The graph has E*links edges. It need not be connected.

    Args:
        experts: E.
        links: mean in-degree, an even number, half of it on either side.
        rewiring: probability that the far end of a pair is replaced by an expert drawn at random.

    Source: Watts & Strogatz 1998, as `networkx.watts_strogatz_graph`.
    """

    experts: Annotated[int, Field(ge=3, le=MOST_EXPERTS)] = 16
    links: Annotated[int, Field(ge=2, multiple_of=2)] = 4
    rewiring: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1

    @model_validator(mode="after")
    def _enough_others(self) -> SmallWorld:
        if self.links >= self.experts:
            raise broken_rule("links", "must be below {experts}", links=self.links, experts=self.experts)
        return self

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return from_networkx(
            nx.watts_strogatz_graph(self.experts, self.links, self.rewiring, seed=integer_seed(generator))
        )
