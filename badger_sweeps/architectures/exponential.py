"""The document's exponential update, with which it removes the first plateau."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.axes import Parameters
from badger_sweeps.core.settings import Finite, settings


@settings
class Exponential(GRU):
    """h <- a*h + b*(z*h + (1 - z)*v).

    Args:
        a: factor of the previous state outside of the gate (document: 0.5).
        b: factor of the gated update (document: 0.7). a = 0, b = 1 is the plain GRU.

    "Exponential" since a + b may exceed 1: with z = 1 the state grows by that factor per step.
    """

    a: Finite = 0.5
    b: Finite = 0.7

    def cell(
        self,
        parameters: Parameters,
        x: Float[Tensor, "population row input"],
        h: Float[Tensor, "population row hidden"],
    ) -> Float[Tensor, "population row hidden"]:
        return self.a * h + self.b * super().cell(parameters, x, h)
