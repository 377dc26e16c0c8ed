"""Information as a function of the number of experts."""

from __future__ import annotations

from torch import Tensor

from badger_sweeps.core.columns import BITS, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure, has_experts
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.information.growth import concavity, shared_with_others, task_information
from badger_sweeps.measures.information.sharing import sharing
from badger_sweeps.training.experiment import Experiment


@settings
class AddingExperts(Measure):
    """``experts/*``: information in the outputs as a function of the number of experts, in bits.

    ``experts/shared`` is psi(L), the information that an expert shares with L others, L = 1..n-1; ``experts/task`` is
    the information of 1..n experts about the targets. Their ``*_concavity`` is above 0 where redundancy dominates and
    below 0 where synergy dominates.
    ``experts/common``, ``experts/pairwise`` and ``experts/synergy`` are the sharing modes of triplets.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = None

    def columns(self, experiment: Experiment) -> Columns:
        if not has_experts(experiment):
            return {}
        experts = experiment.topology.experts
        shared, task = "Information that an expert shares with others", "Information of experts about the targets"
        return columns(
            Column("experts/shared", shared, BITS, length=experts - 1, axis="number of other experts"),
            Column("experts/task", task, BITS, length=experts, axis="number of experts"),
            Column("experts/shared_concavity", f"{shared}: concavity, above 0 redundancy", BITS),
            Column("experts/task_concavity", f"{task}: concavity, above 0 redundancy", BITS),
            Column("experts/common", "Sharing of triplets: common to all three", BITS),
            Column("experts/pairwise", "Sharing of triplets: between two of them", BITS),
            Column("experts/synergy", "Sharing of triplets: synergy", BITS),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        outputs = context.outputs_read
        shared = shared_with_others(outputs, context.generator())
        task = task_information(outputs, context.coordinates, context.generator())
        return {
            "experts/shared": shared,
            "experts/task": task,
            "experts/shared_concavity": concavity(shared),
            "experts/task_concavity": concavity(task),
            **{f"experts/{name}": value for name, value in sharing(outputs)._asdict().items()},
        }
