"""The complete graph: every expert receives messages from all others."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.topologies.base import Experts, Topology


@settings
class Complete(Topology):
    """E(E - 1) edges, algebraic connectivity E. The same graph for every seed."""

    experts: Experts = 16

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return ~torch.eye(self.experts, dtype=torch.bool, device=generator.device)
