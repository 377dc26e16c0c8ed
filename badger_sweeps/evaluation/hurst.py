"""Hurst exponents of the loss."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.dynamics.hurst import MIN_LENGTH, Hurst, hurst, increments
from badger_sweeps.training.experiment import Experiment

ESTIMATORS = ("dfa", "rs")
SERIES = ("", "_increments")


@settings
class HurstExponents(Measure):
    """``hurst/dfa`` and ``hurst/rs`` of the training loss and of its ``_increments``; the same of the evaluation loss.

    Computed in a window that ends at the measurement. An exponent of 0.5 of the loss itself means independent noise
    about a constant level; 0.5 of the increments means that the loss is a random walk. NaN until the window has 512
    values; ``hurst/evaluation_*`` needs 512 measurements of the evaluation loss, that is, a short `fixed_loss.every`.

    Args:
        every: iterations between measurements; null never measures.
        window: length of the window, in iterations, or in measurements of the evaluation loss.
    """

    every: Count | None = 1000
    window: Annotated[int, Field(ge=MIN_LENGTH, le=10**6)] = 1024

    def columns(self, experiment: Experiment) -> Columns:
        return columns(
            *(
                Column(
                    f"hurst/{source}{name}{what}", f"Hurst exponent of the {series}{loss} ({method})",
                    reference=0.5, shown=not what and not source and name == "dfa",
                    section="Memory of the loss", panel="Hurst exponents",
                )
                for source, loss in (("", "training loss"), ("evaluation_", "loss on the evaluation games"))
                for what, series in (("", ""), ("_increments", "increments of the "))
                for name, method in zip(ESTIMATORS, ("DFA", "R/S"), strict=True)
            )
        )  # fmt: skip

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        training = context.loss_history.losses(context.members, last=self.window)
        evaluation = context.loss_history.evaluation_losses(context.members, last=self.window)
        return _exponents(training, "") | _exponents(evaluation, "evaluation_")


def _exponents(losses: Float[Tensor, "member time"], source: str) -> dict[str, Tensor]:
    if losses.shape[1] <= MIN_LENGTH:  # too early in training for a value: no warning
        missing = torch.full((len(losses),), torch.nan)
        exponents = {series: Hurst(missing, missing) for series in SERIES}
    else:
        exponents = dict(zip(SERIES, (hurst(losses), hurst(increments(losses))), strict=True))
    return {
        f"hurst/{source}{name}{series}": getattr(exponents[series], name) for series in SERIES for name in ESTIMATORS
    }
