"""One learner without a graph."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.topologies.base import Topology


@settings
class Single(Topology):
    """A graph of one node, for single-agent architectures; the only expert of a Micro-Badger receives no messages."""

    experts: Literal[1] = 1

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return torch.zeros(1, 1, dtype=torch.bool, device=generator.device)
