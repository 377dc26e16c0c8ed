"""The mean of the experts' outputs: g = mean_i o_i."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters
from badger_sweeps.core.settings import settings
from badger_sweeps.readouts.base import Readout


@settings
class Mean(Readout):
    """w_i = 1/E: the guess is invariant under permutations of the experts."""

    def initial_parameters(self, experts: int, generator: torch.Generator) -> Parameters:
        return {}

    def combine(
        self, parameters: Parameters, outputs: Float[Tensor, "population game expert dim"]
    ) -> Float[Tensor, "population game dim"]:
        return outputs.mean(dim=2)
