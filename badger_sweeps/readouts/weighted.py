"""One learned weight per expert: the study's way of breaking the experts' permutation symmetry."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.foundations.axes import Parameters
from badger_sweeps.foundations.settings import settings
from badger_sweeps.readouts.base import Readout


@settings
class Weighted(Readout):
    """g = sum_i w_i o_i with learned w.

    The study does not say how w starts. Here it starts as `torch.nn.Linear(E, 1)` does, at U[-1/sqrt(E), 1/sqrt(E)]
    (reconstructed): weights that start equal would leave the symmetry to be broken by the states' noise alone.
    """

    def initial_parameters(self, experts: int, generator: torch.Generator) -> Parameters:
        bound = experts**-0.5
        return {"readout_weight": (torch.rand(experts, generator=generator) * 2 - 1) * bound}

    def combine(
        self, parameters: Parameters, outputs: Float[Tensor, "population game expert dim"]
    ) -> Float[Tensor, "population game dim"]:
        return (parameters["readout_weight"][:, None, :, None] * outputs).sum(dim=2)
