"""A function of each item of a batch, with a value that does not depend on the others or on the item's position."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ALIGNMENT = 64
"""Bytes: PyTorch's CPU tensors begin at multiples of it."""


def one_by_one(of: Callable[..., Tensor], *batches: Tensor) -> Tensor:
    """`of` batches of one item each, concatenated; other devices than the CPU compute all items at once.

    Libraries of linear algebra sum the items of a batch in orders that follow from its size and from where in memory an
    item begins. Here each is computed alone, and from where new tensors begin. Besides, all that is computed for one
    item stays in the processor's cache.

    Args:
        of: a function of batches that treats their items independently.
        batches: tensors whose first axis is that of the items, of which there must be one or more.
    """
    if batches[0].device.type != "cpu":
        return of(*batches)
    if len(batches[0]) == 1:
        return of(*map(_aligned, batches))
    items = zip(*(torch.split(batch, 1) for batch in batches), strict=True)
    return torch.cat([of(*map(_aligned, item)) for item in items])


def _aligned(item: Tensor) -> Tensor:
    return item if item.data_ptr() % ALIGNMENT == 0 else item.clone()
