"""Mutual information by nearest neighbours and by the Gaussian copula on the same states."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from badger_sweeps.core.columns import BITS, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure, has_experts
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.information import ksg
from badger_sweeps.measures.information.mutual_information import against_permutations, pairwise
from badger_sweeps.training.experiment import Experiment


@settings
class CrossCheck(Measure):
    """``mi_check/*``: mutual information in one or two components, by KSG and by the copula, means over pairs, in bits.

    Where ``ksg`` lies well above ``copula``, there is dependence that is not monotone, which ``mi/*`` does not detect.
    ``null`` is the copula's mean under permutations of the games, and ``z`` the mean distance of ``copula`` from it, in
    standard deviations of the permutations.

    Args:
        every: iterations between measurements; null never measures.
        components: number of components of the hidden states, along the frozen directions.
        permutations: number of permutations of the games.
    """

    every: Count | None = None
    components: Annotated[int, Field(ge=1, le=ksg.MOST_COMPONENTS)] = 2
    permutations: Annotated[int, Field(ge=2, le=10**5)] = 200

    def columns(self, experiment: Experiment) -> Columns:
        if not has_experts(experiment):
            return {}
        title, panel = "Mutual information between experts", "Mutual information by two estimators"
        return columns(
            Column("mi_check/ksg", f"{title}, nearest neighbours (KSG)", BITS, panel=panel),
            Column("mi_check/copula", f"{title}, Gaussian copula", BITS, panel=panel),
            Column("mi_check/null", f"{title}, Gaussian copula of permuted games", BITS, panel=panel),
            Column("mi_check/z", f"{title}: distance from permuted games", "standard deviations"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        states = context.read(context.reduced(self.components))
        permuted = against_permutations(states, self.permutations, context.generator())
        return {
            "mi_check/ksg": ksg.pairwise(states).mean(dim=1),
            "mi_check/copula": pairwise(states).mean(dim=1),
            "mi_check/null": permuted.null_mean.mean(dim=1),
            "mi_check/z": permuted.z.mean(dim=1),
        }
