"""The graph without edges: the control in which experts cannot communicate."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.topologies.base import Experts, Topology


@settings
class Disconnected(Topology):
    """In-degree 0: the experts receive no messages, only the error, which is the same for all."""

    experts: Experts = 16

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return torch.zeros(self.experts, self.experts, dtype=torch.bool, device=generator.device)
