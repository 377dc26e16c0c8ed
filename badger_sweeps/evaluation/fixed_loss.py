"""The loss on the evaluation games."""

from __future__ import annotations

from torch import Tensor

from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure, Shapes
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.evaluation.loss_history import EVALUATION_LOSS
from badger_sweeps.training.experiment import Experiment


@settings
class FixedLoss(Measure):
    """``evaluation/loss`` and ``evaluation/loss_dim/K``: the normalised error without the training batch's noise.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = 100

    def columns(self, experiment: Experiment) -> Shapes:
        return {EVALUATION_LOSS: (), **{f"evaluation/loss_dim/{dim}": () for dim in range(experiment.task.dims)}}

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        error = context.error
        by_dim = {f"evaluation/loss_dim/{dim}": column for dim, column in enumerate(error.unbind(dim=1))}
        return {EVALUATION_LOSS: error.mean(dim=1), **by_dim}
