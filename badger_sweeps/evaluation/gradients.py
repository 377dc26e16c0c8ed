"""Conflict between the gradients of the dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, Size, settings
from badger_sweeps.engines.base import by_dimension
from badger_sweeps.engines.reference import Reference
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.landscape.conflict import conflict
from badger_sweeps.training.experiment import Experiment


@settings
class GradientConflict(Measure):
    """``gradient/*``: the gradients of the dimensions' outer losses, compared with each other.

    ``conflicting`` is the share of pairs of dimensions with a negative cosine, ``norm_ratio`` the smallest norm divided
    by the largest, ``cancellation`` the norm of the mean gradient divided by the mean of the norms (1: all gradients
    have the same direction).

    Args:
        every: iterations between measurements; null never measures.
        games: number of evaluation games, counted from the first.
    """

    every: Count | None = None
    games: Size = 256

    def columns(self, experiment: Experiment) -> Columns:
        if experiment.task.dims == 1:
            return {}
        cosines = "Cosines between the dimensions' gradients"
        return columns(
            Column("gradient/cosine_mean", f"{cosines}: mean of pairs", reference=0.0, panel=cosines),
            Column("gradient/cosine_min", f"{cosines}: least of pairs", reference=0.0, panel=cosines),
            Column("gradient/conflicting", f"{cosines}: share of pairs below 0"),
            Column("gradient/norm_ratio", "Smallest norm of the dimensions' gradients over the largest"),
            Column("gradient/cancellation", "Norm of the mean gradient over the mean of the dimensions' norms"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        played, dims = context.games.first(self.games), context.experiment.task.dims
        cotangents = by_dimension(played, len(context.members))
        # By autograd, whichever engine trains: values recorded by earlier versions stay comparable bit by bit.
        gradients = Reference().pullback(context.objective, context.parameters, played, cotangents).gradients
        conflicts = conflict(gradients.movedim(0, 1))
        cosines = conflicts.cosines[:, *torch.triu_indices(dims, dims, offset=1)]
        values = (
            *(cosines.mean(dim=1), cosines.amin(dim=1)),
            *(conflicts.conflicting, conflicts.norm_ratio, conflicts.cancellation),
        )
        return dict(zip(self.columns(context.experiment), values, strict=True))
