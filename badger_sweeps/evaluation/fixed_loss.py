"""The loss on the evaluation games."""

from __future__ import annotations

from torch import Tensor

from badger_sweeps.core.columns import NORMALISED_ERROR, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure
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

    def columns(self, experiment: Experiment) -> Columns:
        by_dim = (
            Column(
                f"evaluation/loss_dim/{dim}", f"Loss of dimension {dim} on the evaluation games", NORMALISED_ERROR,
                per="dimension", section="Loss", panel="Loss of each dimension on the evaluation games",
            )
            for dim in range(experiment.task.dims)
        )  # fmt: skip
        title = "Loss on the evaluation games"
        return columns(Column(EVALUATION_LOSS, title, NORMALISED_ERROR, shown=True, section="Loss"), *by_dim)

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        error = context.error
        by_dim = {f"evaluation/loss_dim/{dim}": column for dim, column in enumerate(error.unbind(dim=1))}
        return {EVALUATION_LOSS: error.mean(dim=1), **by_dim}
