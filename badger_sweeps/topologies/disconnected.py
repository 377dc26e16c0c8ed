"""No links at all: the control in which experts cannot communicate."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.topologies.base import Experts, Topology


@settings
class Disconnected(Topology):
    """Nobody listens to anybody; the experts share only the error they all receive."""

    experts: Experts = 16

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return torch.zeros(self.experts, self.experts, dtype=torch.bool, device=generator.device)
