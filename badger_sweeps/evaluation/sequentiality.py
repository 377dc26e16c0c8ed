"""Sequentiality: whether dimensions are learned simultaneously or one after another."""

from __future__ import annotations

import torch
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.landscape.sequentiality import sequentiality
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.training.experiment import Experiment


@settings
class Sequentiality(Measure):
    """``sequentiality/*`` of the training losses per dimension up to the measurement, in block means.

    ``index`` is 1 if the dimensions are learned one after another and 0 if simultaneously; ``reached`` is the progress
    of learning (0 to 2); ``suppression`` is the largest drop of a dimension while another one is learned. Applies to
    tasks whose parts are their dimensions.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = 1000

    def columns(self, experiment: Experiment) -> Columns:
        applies = 1 < experiment.task.dims == experiment.task.parts
        if not applies:
            return {}
        return columns(
            Column("sequentiality/index", "Sequentiality: 1 one dimension after another, 0 all at once", shown=True),
            Column("sequentiality/reached", "How far learning went (0 to 2)"),
            Column("sequentiality/suppression", "Largest drop of one dimension while another one was learned"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        experiment = context.experiment
        variance = experiment.task.game_variance(experiment.loss.order)
        block = Staircase.for_run(experiment.task.parts, experiment.training.batch_size, variance).block
        losses = context.loss_history.losses_by_dim(context.members)
        names = self.columns(experiment)
        if losses.shape[1] < 2 * block:
            values = [torch.full((len(losses),), torch.nan)] * len(names)
        else:
            result = sequentiality(losses, block)
            values = [result.sequentiality, result.reached, result.suppression]
        return dict(zip(names, values, strict=True))
