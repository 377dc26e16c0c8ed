"""Mutual information between experts' hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.columns import BITS, Column, Columns, Section, columns
from badger_sweeps.core.settings import Count, Size, settings
from badger_sweeps.evaluation.base import Measure, has_experts
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.mutual_information import pairs, pairwise
from badger_sweeps.measures.information.reduction import captured_variance
from badger_sweeps.training.experiment import Experiment

SUMMARIES = ("mi/mean", "mi/min", "mi/max")
CONDITIONAL = ("mi_given_target/mean", "mi_given_target/min", "mi_given_target/max")
CAPTURED = "mi/captured_variance"
SECTION: Section = "Between experts"
OF_PAIRS = "Mutual information of all pairs"
"""The title of the heatmap of all pairs."""


@settings
class MutualInformation(Measure):
    """``mi/*`` over all pairs of experts, ``mi/II__JJ`` of each pair, and ``mi_given_target/*``, in bits.

    ``mi/captured_variance`` is the share of the hidden states' variance in the components that are compared.

    Args:
        every: iterations between measurements; null never measures.
        components: number of components of the hidden states, along principal directions before training.
        pair_columns_up_to: maximum number of experts n for which each of the n(n-1)/2 pairs has a column.
    """

    every: Count | None = 100
    components: Size = 4
    pair_columns_up_to: Annotated[int, Field(ge=0, le=100)] = 32

    def columns(self, experiment: Experiment) -> Columns:
        if not has_experts(experiment):
            return {}
        return columns(
            *_described(SUMMARIES, "Mutual information between experts", ""),
            *_described(CONDITIONAL, "Mutual information between experts, given the targets", "given the targets"),
            Column(CAPTURED, "Share of the hidden states' variance in the components compared"),
            *(
                Column(name, f"Mutual information of experts {pair}", BITS, per="pair", section=SECTION, panel=OF_PAIRS)
                for name, pair in self._pairs(experiment).items()
            ),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        reduced = context.reduced(self.components)
        pairwise_values = context.in_threads(
            _pairwise, context.split_by_thread(context.read(reduced), context.conditions)
        )
        raw, given = pairwise_values["raw"], pairwise_values["given"]
        summaries = [*_summaries(raw), *_summaries(given)]
        names = self._pairs(context.experiment)
        return {
            **dict(zip((*SUMMARIES, *CONDITIONAL), summaries, strict=True)),
            CAPTURED: captured_variance(context.h, reduced),
            **(dict(zip(names, raw.unbind(dim=1), strict=True)) if names else {}),
        }

    def _pairs(self, experiment: Experiment) -> dict[str, str]:
        """The name of each pair's column, and the pair for its title."""
        experts = experiment.topology.experts
        if experts > self.pair_columns_up_to:
            return {}
        return {f"mi/{one:02d}__{other:02d}": f"{one} and {other}" for one, other in pairs(experts).tolist()}


def _described(names: Sequence[str], title: str, condition: str) -> list[Column]:
    """The columns of mean, minimum and maximum over pairs."""
    panel = f"Mutual information: mean, least and greatest of all pairs{f', {condition}' if condition else ''}"
    ends = ("mean of pairs", "least of pairs", "greatest of pairs")
    return [
        Column(name, f"{title}, {end}", BITS, shown=end.startswith("mean"), section=SECTION, panel=panel)
        for name, end in zip(names, ends, strict=True)
    ]


def _pairwise(
    states: Float[Tensor, "member game expert component"], conditions: Float[Tensor, "member game term"]
) -> dict[str, Tensor]:
    return {"raw": pairwise(states), "given": pairwise(states, Conditions(conditions))}


def _summaries(values: Float[Tensor, "member pair"]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, minimum and maximum over pairs; NaN if any pair is NaN."""
    return values.mean(dim=1), values.amin(dim=1), values.amax(dim=1)
