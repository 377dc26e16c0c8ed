"""Message ablation: the loss of trained networks without messages."""

from __future__ import annotations

from torch import Tensor

from badger_sweeps.core.columns import NORMALISED_ERROR, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure, has_experts
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.training.experiment import Experiment


@settings
class MessageAblation(Measure):
    """``message_ablation/loss``: the normalised error on the evaluation games when every message is replaced by zeros.

    It equals ``evaluation/loss`` if messages are not used. The difference is the contribution of the messages in
    networks that were trained with messages; it does not show what networks trained without messages would achieve.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = None

    def columns(self, experiment: Experiment) -> Columns:
        described = Column("message_ablation/loss", "Loss on the evaluation games without messages", NORMALISED_ERROR)
        return columns(described) if has_experts(experiment) else {}

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        return {"message_ablation/loss": context.error_without_messages.mean(dim=1)}
