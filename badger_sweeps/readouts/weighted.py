"""One learned weight per expert: the document's way of breaking the experts' permutation symmetry."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters
from badger_sweeps.core.settings import settings
from badger_sweeps.readouts.base import Readout


@settings
class Weighted(Readout):
    """g = sum_i w_i o_i with learned w.

    Args:
        start: the initial distribution of w, which the document does not give (reconstructed). ``signed``:
            U[-1/sqrt(E), 1/sqrt(E)], as `torch.nn.Linear(E, 1)`. ``positive``: U[0, 2/E], whose mean is the weight 1/E
            of `mean`. Weights that start equal would leave the symmetry to be broken by the noise in the states alone.
    """

    start: Literal["signed", "positive"] = "signed"

    def initial_parameters(self, experts: int, generator: torch.Generator) -> Parameters:
        draw = torch.rand(experts, generator=generator)
        weights = (draw * 2 - 1) * experts**-0.5 if self.start == "signed" else draw * (2 / experts)
        return {"readout_weight": weights}

    def combine(
        self, parameters: Parameters, outputs: Float[Tensor, "population game expert dim"]
    ) -> Float[Tensor, "population game dim"]:
        return (parameters["readout_weight"][:, None, :, None] * outputs).sum(dim=2)
