"""Random graphs of in-degree k: every expert receives messages from k others, drawn at random."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from pydantic import model_validator
from torch import Tensor

from badger_sweeps.core.settings import Size, broken_rule, settings
from badger_sweeps.topologies.base import Experts, Topology


@settings
class RandomLinks(Topology):
    """Each expert draws `links` distinct senders among the other experts, uniformly. The document's topology.

    Args:
        experts: E.
        links: in-degree of every expert.

    Such a graph need not be strongly connected: at 16 experts and 4 links about 16 % of the draws are not.
    """

    experts: Experts = 16
    links: Size = 4

    @model_validator(mode="after")
    def _enough_others(self) -> RandomLinks:
        if self.links >= self.experts:
            raise broken_rule("links", "must be below {experts}", links=self.links, experts=self.experts)
        return self

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return random_links(self.experts, self.links, generator)


def random_links(experts: int, links: int, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
    """A graph drawn uniformly from those in which every expert has in-degree `links`."""
    order = torch.rand(experts, experts, generator=generator, device=generator.device)
    order.fill_diagonal_(2.0)  # above every draw from [0, 1), so that no expert picks itself
    senders = order.argsort(dim=1)[:, :links]
    return torch.zeros_like(order, dtype=torch.bool).scatter_(1, senders, True)
