"""What an optimiser is here: an element-wise update rule from `torch.optim`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
"""The share of the past in a running mean."""
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""A learning rate; far beyond this bound float32 overflows."""


class Optimizer(ABC):
    """Settings from which a `torch.optim` optimiser is built over a population's stacked weights.

    Only element-wise rules qualify: each number's update depends on that number's own history, so that the
    members of a population, stacked in one tensor, are updated exactly as they would be alone.

    Attributes:
        lr: the learning rate, before the schedule's factor.
    """

    lr: float

    @abstractmethod
    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimiser over these weights."""
