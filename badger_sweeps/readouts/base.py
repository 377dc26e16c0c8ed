"""The interface of a readout: a linear combination of the experts' outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters


class Readout(ABC):
    """g = sum_i w_i o_i over the experts' outputs o_i."""

    @abstractmethod
    def initial_parameters(self, experts: int, generator: torch.Generator) -> Parameters:
        """One member's initial weights, by name; empty if the readout has none."""

    @abstractmethod
    def combine(
        self, parameters: Parameters, outputs: Float[Tensor, "population game expert dim"]
    ) -> Float[Tensor, "population game dim"]:
        """The guess of each game."""
