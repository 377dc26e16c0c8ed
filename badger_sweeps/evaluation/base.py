"""The base class of measures: their columns, and their values at one iteration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from badger_sweeps.core.columns import Columns
from badger_sweeps.core.optional_libraries import require
from badger_sweeps.core.settings import Count
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.training.experiment import Experiment


class Measure(ABC):
    """A measure: applies functions of `badger_sweeps.measures` to a population.

    Attributes:
        every: iterations between measurements; null never measures.
        library: the optional library that the measure needs; None if it needs none.
    """

    every: Count | None
    library: ClassVar[str | None] = None

    def check_library(self) -> None:
        """Refuse a measure whose library is not installed.

        Raises:
            MissingLibraryError: it is not.
        """
        if self.library is not None:
            require(self.library, f"The measure {type(self).__name__}")

    @abstractmethod
    def columns(self, experiment: Experiment) -> Columns:
        """The measure's columns; empty if it does not apply to the experiment."""

    @abstractmethod
    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        """The values of every column of `columns`: tensors with the members first."""


def has_experts(experiment: Experiment) -> bool:
    """Whether the experiment has at least two experts with hidden states to compare."""
    return not experiment.architecture.single_agent and experiment.topology.experts > 1


def has_states(experiment: Experiment) -> bool:
    """Whether the experiment has an inner loop with a hidden state."""
    return not experiment.architecture.supervised
