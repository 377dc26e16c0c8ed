"""The gated recurrent unit: Micro-Badger's usual update of the hidden state."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.linear import affine
from badger_sweeps.architectures.micro_badger import MicroBadger
from badger_sweeps.core.axes import Parameters
from badger_sweeps.core.settings import settings


@settings
class GRU(MicroBadger):
    """h <- z*h + (1 - z)*v, with update gate z and candidate v.

    Args:
        reset_gate: with it (default) the cell is exactly `torch.nn.GRUCell`, names and order of weights
            included (gates r, z, v); without it the document's two-gate form (reconstructed),
            z = sigmoid(...), v = tanh(...).
    """

    reset_gate: bool = True

    def cell_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        gates = (3 if self.reset_gate else 2) * self.hidden
        return {
            "weight_ih": (gates, inputs),
            "weight_hh": (gates, self.hidden),
            "bias_ih": (gates,),
            "bias_hh": (gates,),
        }

    def cell(
        self,
        parameters: Parameters,
        x: Float[Tensor, "population row input"],
        h: Float[Tensor, "population row hidden"],
    ) -> Float[Tensor, "population row hidden"]:
        z, v = self.gates(parameters, x, h)
        return v + z * (h - v)

    def gates(
        self,
        parameters: Parameters,
        x: Float[Tensor, "population row input"],
        h: Float[Tensor, "population row hidden"],
    ) -> tuple[Float[Tensor, "population row hidden"], Float[Tensor, "population row hidden"]]:
        """The update gate z and the candidate v."""
        from_x = affine(x, parameters["weight_ih"], parameters["bias_ih"])
        from_h = affine(h, parameters["weight_hh"], parameters["bias_hh"])
        if not self.reset_gate:
            z, v = (from_x + from_h).chunk(2, dim=-1)
            return torch.sigmoid(z), torch.tanh(v)
        xr, xz, xv = from_x.chunk(3, dim=-1)
        hr, hz, hv = from_h.chunk(3, dim=-1)
        return torch.sigmoid(xz + hz), torch.tanh(xv + torch.sigmoid(xr + hr) * hv)
