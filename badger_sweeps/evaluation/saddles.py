"""The Hessian's smallest eigenvalues: whether a population's weights are near saddle points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, Positive, Size, settings
from badger_sweeps.core.weights import Weights
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.landscape.saddles import curvature, hessian_product
from badger_sweeps.training.experiment import Experiment


@settings
class Saddles(Measure):
    """``hessian/*``: the smallest eigenvalues of the outer loss's Hessian, its largest eigenvalue, and its Morse index.

    ``hessian/smallest`` is a vector; ``hessian/index`` is the number of negative eigenvalues in it, which is a lower
    bound where ``hessian/index_is_lower_bound`` is 1. ``hessian/weights`` is the total number of eigenvalues. Computed
    in float64; takes minutes per member at the default sizes.

    Args:
        every: iterations between measurements; null never measures.
        games: number of evaluation games, counted from the first.
        eigenvalues: number of smallest eigenvalues.
        accuracy: error of the eigenvalues relative to the largest; eigenvalues within it count as zero.
    """

    every: Count | None = None
    games: Size = 64
    eigenvalues: Size = 8
    accuracy: Positive = 1e-4

    def columns(self, experiment: Experiment) -> Columns:
        return columns(
            Column(
                "hessian/smallest", "Smallest eigenvalues of the Hessian", length=self.eigenvalues, axis="eigenvalue"
            ),
            Column("hessian/largest", "Largest eigenvalue of the Hessian"),
            Column("hessian/index", "Negative eigenvalues of the Hessian (Morse index)"),
            Column("hessian/index_is_lower_bound", "1 where all eigenvalues computed are negative"),
            Column("hessian/weights", "Number of weights, and so of eigenvalues"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        curvatures = []
        for member in range(len(context.members)):
            weights = context.parameters.flat[member].double()
            product = hessian_product(_outer_loss(context, member, self.games), weights)
            curvatures.append(
                curvature(product, len(weights), context.generator(), count=self.eigenvalues, accuracy=self.accuracy)
            )
        index = torch.stack([member.morse_index for member in curvatures])
        return {
            "hessian/smallest": torch.stack([member.smallest for member in curvatures]),
            "hessian/largest": torch.stack([member.largest for member in curvatures]),
            "hessian/index": index,
            "hessian/index_is_lower_bound": (index == self.eigenvalues).double().where(~index.isnan(), torch.nan),
            "hessian/weights": index.where(index.isnan(), context.parameters.flat.shape[1]),
        }


def _outer_loss(context: EvaluationContext, member: int, games: int) -> Callable[[Tensor], Tensor]:
    """The outer loss of one member, as a function of its weights, in float64."""
    one, shapes = slice(member, member + 1), context.parameters.shapes
    objective = context.objective.of(one).to(torch.float64)
    played = context.games.first(games).of(one).to(torch.float64)

    def outer_loss(weights: Float[Tensor, " weight"]) -> Float[Tensor, ""]:
        return objective.losses(Weights(weights[None], shapes), played).mean()

    return outer_loss
