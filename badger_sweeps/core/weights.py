"""A population's weights: one tensor, and a view into it for each parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import Parameters

Shapes = tuple[tuple[str, torch.Size], ...]
"""The name and the shape of each parameter of one member, in order."""


class Weights(Mapping[str, Tensor]):
    """All parameters of all members, by name, in one tensor.

    Optimisers, norms and clipping, which treat all numbers alike, use `flat`; architectures use parameters by name. The
    two share memory.

    Args:
        flat: each member's parameters, flattened, one after another.
        shapes: the parameters' names and shapes.
    """

    def __init__(self, flat: Float[Tensor, "population weight"], shapes: Shapes) -> None:
        self.flat = flat
        self.shapes = shapes

    @classmethod
    def of(cls, parameters: Parameters) -> Weights:
        """Weights copied from parameters that have the population axis."""
        shapes = tuple((name, tensor.shape[1:]) for name, tensor in parameters.items())
        return cls(torch.cat([tensor.flatten(1) for tensor in parameters.values()], dim=1), shapes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(name for name, _ in self.shapes)

    @cached_property
    def _views(self) -> dict[str, Tensor]:
        parts = self.flat.split_with_sizes([shape.numel() for _, shape in self.shapes], dim=1)
        return {name: part.view(-1, *shape) for (name, shape), part in zip(self.shapes, parts, strict=True)}

    def __getitem__(self, name: str) -> Tensor:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.shapes)
