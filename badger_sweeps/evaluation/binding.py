"""Binding information of the experts' outputs, over training and along a rollout."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.columns import BITS, INNER_STEP, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure, has_experts
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.information.binding import HigherOrderInformation, higher_order_information
from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.noise import noise_entropy
from badger_sweeps.training.experiment import Experiment

OUTER = {
    "outer": ("Binding information of the outputs", True),
    "total_correlation": ("Total correlation of the outputs", False),
    "residual_entropy": ("Residual entropy of the outputs above the noise floor's", False),
    "o_information": ("O-information of the outputs: above 0 redundancy, below synergy", True),
}
"""By the last part of the column's name: its title, and whether reports show it at first."""
GIVEN = "_given_target"


@settings
class Binding(Measure):
    """``binding/*`` of the outputs after the last inner step, in bits; each also conditioned as ``_given_target``.

    ``outer`` is the binding information; ``residual_entropy`` is the residual entropy minus that of the noise floor.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = 100

    def columns(self, experiment: Experiment) -> Columns:
        if not has_experts(experiment):
            return {}
        return columns(
            *(
                Column(
                    f"binding/{name}{given}", f"{title}{', given the targets' if given else ''}", BITS, shown=shown,
                    section="Between experts", panel=title,
                )
                for given in ("", GIVEN)
                for name, (title, shown) in OUTER.items()
            )
        )  # fmt: skip

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        floor = noise_entropy(context.outputs_read[0, 0].numel(), context.evaluation.noise_share)

        def both(outputs: Tensor, conditions: Tensor) -> dict[str, Tensor]:
            return _outer(higher_order_information(outputs), floor, "") | _outer(
                higher_order_information(outputs, Conditions(conditions)), floor, GIVEN
            )

        return context.in_threads(both, context.split_by_thread(context.outputs_read, context.conditions))


@settings
class InnerBinding(Measure):
    """``binding/inner`` and ``binding/inner_given_target``: binding information after every inner step, in bits.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = 5000

    def columns(self, experiment: Experiment) -> Columns:
        if not has_experts(experiment):
            return {}
        title = "Binding information along a rollout"
        return columns(
            *(
                Column(
                    f"binding/inner{given}", f"{title}{', given the targets' if given else ''}", BITS,
                    length=experiment.training.inner_steps, axis=INNER_STEP, shown=True, section="Along the inner loop",
                )
                for given in ("", GIVEN)
            )
        )  # fmt: skip

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        members = zip(context.read_outputs_of_steps(), context.conditions, strict=True)
        return context.in_threads(_inner, ((outputs[None], conditions[None]) for outputs, conditions in members))


def _inner(
    outputs: Float[Tensor, "1 step game expert component"], conditions: Float[Tensor, "1 game term"]
) -> dict[str, Tensor]:
    raw, given = (
        higher_order_information(outputs).binding,
        higher_order_information(outputs, Conditions(conditions[:, None])).binding,
    )
    return {"binding/inner": raw, f"binding/inner{GIVEN}": given}


def _outer(information: HigherOrderInformation, floor: float, ending: str) -> dict[str, Tensor]:
    values = (
        *(information.binding, information.total_correlation),
        *(information.residual_entropy - floor, information.o_information),
    )
    return {f"binding/{name}{ending}": value for name, value in zip(OUTER, values, strict=True)}
