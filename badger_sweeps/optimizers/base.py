"""What an optimiser is here: settings for one of PyTorch's, over the weights of a population."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor

Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
"""The share of the past in a running mean."""
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""A learning rate; far beyond this bound float32 overflows."""

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)


class Optimizer(ABC):
    """Settings from which an optimiser is built.

    Attributes:
        lr: the learning rate, before the schedule's factor.
        elementwise: whether each number's update depends on that number's own history alone. One optimiser then serves
            the weights of all members, stacked in one tensor, each of which is updated as it would be alone. If not,
            each member has an optimiser of its own, over its parameters with their shapes.
    """

    elementwise: ClassVar[bool] = True

    lr: float

    @abstractmethod
    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimiser over these weights: the stacked ones, or one member's parameters."""


def without_compiler(kind: type[Kind]) -> type[Kind]:
    """One of `torch.optim`'s optimisers, without what tells TorchDynamo to leave it alone.

    These decorators import the compiler, which nobody here uses, and which takes a second or two of every start.
    """
    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), {**plain, "step": torch.no_grad()(inspect.unwrap(kind.step))})
