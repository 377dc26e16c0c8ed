"""What can be measured during training: names of columns, and the numbers in them at one moment."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from badger_sweeps.core.columns import Columns
from badger_sweeps.core.settings import Count
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.training.experiment import Experiment


class Measure(ABC):
    """Applies functions of `badger_sweeps.measures` to a population. A setting `every` says when.

    Attributes:
        every: iterations between measurements; null never measures.
    """

    every: Count | None

    @abstractmethod
    def columns(self, experiment: Experiment) -> Columns:
        """What it gives, described; nothing where it does not apply to the experiment."""

    @abstractmethod
    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        """The values, members first, of every name in `columns`."""


def has_experts(experiment: Experiment) -> bool:
    """Whether there are experts with hidden states to compare: at least two."""
    return not experiment.architecture.single_agent and experiment.topology.experts > 1


def has_states(experiment: Experiment) -> bool:
    """Whether there is an inner loop with a hidden state."""
    return not experiment.architecture.supervised
