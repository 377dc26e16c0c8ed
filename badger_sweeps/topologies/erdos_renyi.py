"""The Erdos-Renyi graph: every possible edge exists with the same probability, independently of the others."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Bool
from pydantic import Field, model_validator
from torch import Tensor

from badger_sweeps.core.settings import broken_rule, settings
from badger_sweeps.topologies.base import Experts, Topology


@settings
class ErdosRenyi(Topology):
    """The directed G(E, p) with p = links/(E - 1): in-degrees differ, and may be 0.

    Args:
        experts: E.
        links: mean in-degree, which need not be whole; the same bandwidth as `random` with the same value.

    Source: Gilbert 1959; Erdos & Renyi 1959.
    """

    experts: Experts = 16
    links: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 4.0

    @model_validator(mode="after")
    def _enough_others(self) -> ErdosRenyi:
        if self.links > self.experts - 1:
            raise broken_rule("links", "must be at most {experts} - 1", links=self.links, experts=self.experts)
        return self

    @property
    def probability(self) -> float:
        """p, the probability of each edge."""
        return self.links / max(1, self.experts - 1)

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        draws = torch.rand(self.experts, self.experts, generator=generator, device=generator.device)
        return (draws < self.probability).fill_diagonal_(False)
