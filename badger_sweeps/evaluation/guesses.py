"""Power and similarity of the guesses, and their error by either loss."""

from __future__ import annotations

from torch import Tensor

from badger_sweeps.core.columns import NORMALISED_ERROR, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.training.experiment import Experiment

LOSSES = {"guess/mse": MeanSquaredError(), "guess/l1": MeanAbsoluteError()}


@settings
class Guesses(Measure):
    """``guess/*`` after the last inner step, on the evaluation games; dimensionless.

    ``power`` is the mean square of the guesses divided by that of the targets: 0 for zeros, 1 for a solved task.
    ``alike`` is the share of the guesses' mean square that lies in their mean over dimensions,
    D <(mean_d g_d)^2> / <sum_d g_d^2>: 1 if all D guesses of a game are the same number, 1/D if they are independent;
    NaN for guesses of zero. ``mse`` and ``l1`` are the normalised error by either loss (chance = 1), whichever of them
    the run was trained with.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = 100

    def columns(self, experiment: Experiment) -> Columns:
        alike = Column("guess/alike", "Share of the guesses' power in their mean over dimensions")
        return columns(
            Column("guess/power", "Power of the guesses over that of the targets"),
            *([alike] if experiment.task.dims > 1 else []),
            Column("guess/mse", "Squared error of the guesses", NORMALISED_ERROR),
            Column("guess/l1", "Absolute error of the guesses", NORMALISED_ERROR),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        task, guesses = context.experiment.task, context.guesses.double()
        total = guesses.square().sum(dim=-1).mean(dim=1)
        together = guesses.mean(dim=-1).square().mean(dim=1) * task.dims
        values = {"guess/power": total / task.dims / task.absolute_moment(2), "guess/alike": together / total}
        for name, loss in LOSSES.items():
            values[name] = loss.error(context.guesses, context.targets, task).mean(dim=(1, 2))
        return {name: values[name] for name in self.columns(context.experiment)}
