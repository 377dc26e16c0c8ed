"""Linear maps, with separate weights for every member."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters


def affine(
    x: Float[Tensor, "population row input"],
    weight: Float[Tensor, "population output input"],
    bias: Float[Tensor, "population output"],
) -> Float[Tensor, "population row output"]:
    """`torch.nn.functional.linear` with a weight matrix for each member."""
    return torch.baddbmm(bias[:, None], x, weight.mT)


def uniform(shapes: Mapping[str, tuple[int, ...]], hidden: int, generator: torch.Generator) -> Parameters:
    """One member's weights, drawn from U[-1/sqrt(hidden), 1/sqrt(hidden)] as in torch's cells and linear layers."""
    bound = hidden**-0.5
    return {name: (torch.rand(shape, generator=generator) * 2 - 1) * bound for name, shape in shapes.items()}
