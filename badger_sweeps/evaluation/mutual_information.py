"""Mutual information between experts' hidden states."""

from __future__ import annotations

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.settings import Count, Size, settings
from badger_sweeps.evaluation.base import Measure, Shapes, has_experts
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.mutual_information import pairs, pairwise
from badger_sweeps.measures.information.reduction import captured_variance
from badger_sweeps.training.experiment import Experiment

SUMMARIES = ("mi/mean", "mi/min", "mi/max")
CONDITIONAL = ("mi_given_target/mean", "mi_given_target/min", "mi_given_target/max")
CAPTURED = "mi/captured_variance"


@settings
class MutualInformation(Measure):
    """``mi/*`` over all pairs of experts, ``mi/II__JJ`` of each pair, and ``mi_given_target/*``, in bits.

    ``mi/captured_variance`` is the share of the hidden states' variance in the components that are compared.

    Args:
        every: iterations between measurements; null never measures.
        components: of the hidden states, along principal directions found before training and kept.
        pair_columns_up_to: experts up to which every pair has a column of its own; there are n(n-1)/2 pairs.
    """

    every: Count | None = 100
    components: Size = 4
    pair_columns_up_to: Annotated[int, Field(ge=0, le=100)] = 32

    def columns(self, experiment: Experiment) -> Shapes:
        if not has_experts(experiment):
            return {}
        return dict.fromkeys((*SUMMARIES, *CONDITIONAL, CAPTURED, *self._pair_names(experiment)), ())

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        reduced = context.reduced(self.components)
        found = context.in_threads(_pairwise, context.parts(context.read(reduced), context.conditions))
        raw, given = found["raw"], found["given"]
        summaries = [*_summaries(raw), *_summaries(given)]
        names = self._pair_names(context.experiment)
        return {
            **dict(zip((*SUMMARIES, *CONDITIONAL), summaries, strict=True)),
            CAPTURED: captured_variance(context.h, reduced),
            **(dict(zip(names, raw.unbind(dim=1), strict=True)) if names else {}),
        }

    def _pair_names(self, experiment: Experiment) -> list[str]:
        experts = experiment.topology.experts
        if experts > self.pair_columns_up_to:
            return []
        return [f"mi/{first:02d}__{second:02d}" for first, second in pairs(experts).tolist()]


def _pairwise(
    states: Float[Tensor, "member game expert component"], conditions: Float[Tensor, "member game term"]
) -> dict[str, Tensor]:
    return {"raw": pairwise(states), "given": pairwise(states, Conditions(conditions))}


def _summaries(values: Float[Tensor, "member pair"]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, least and greatest over pairs; NaN where any pair is."""
    return values.mean(dim=1), values.amin(dim=1), values.amax(dim=1)
