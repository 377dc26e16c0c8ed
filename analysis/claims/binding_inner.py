"""The document: binding information grows along the inner loop as well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, rank_correlation
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.arms import Arms, Curve, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import binding, losses

CLAIM = "During the rollout of the inner loop binding information grows as well."
REQUIRED_MEASURES = (RequiredMeasures(("inner_binding", "inner_loop"), snapshots=6),)
RAW, GIVEN = "binding/inner", "binding/inner_given_target"


class BindingInnerInfo(NamedTuple):
    """Binding information along the inner loop after training, by arm.

    Attributes:
        curves: over inner steps, in bits; a row for each seed.
        curves_given: the same, given the targets.
        loss: over inner steps (chance = 1); a row for each seed.
        order: Spearman's rank correlation of binding information and inner step, of each seed.
        order_given: the same, given the targets.
        late_given: change from the middle inner step to the last one, given the targets, in bits, of each seed.
    """

    curves: dict[str, Curve]
    curves_given: dict[str, Curve]
    loss: dict[str, Curve]
    order: dict[str, Numbers]
    order_given: dict[str, Numbers]
    late_given: dict[str, Numbers]


def compute(arms: Arms) -> BindingInnerInfo:
    """Curves of the trained networks, and their trends."""
    curves, given, loss = (
        {name: _along(arm.last(column)) for name, arm in arms.items()} for column in (RAW, GIVEN, "inner/loss")
    )
    order, order_given = ({name: _order(curve) for name, curve in by_arm.items()} for by_arm in (curves, given))
    late = {name: curve.y[:, -1] - curve.y[:, curve.y.shape[1] // 2] for name, curve in given.items()}
    return BindingInnerInfo(curves, given, loss, order, order_given, late)


def findings(info: BindingInnerInfo) -> list[Finding]:
    """The parts of the claim, raw and given the targets; secondary, the arm without messages."""
    order = "Spearman's rank correlation with the inner step, after training"
    late = "bits, the last inner step minus the middle one, after training"
    return [
        above("binding information grows along the inner loop", info.order["linked"], 0, order),
        above("it grows given the targets", info.order_given["linked"], 0, order),
        above(
            "given the targets it grows in the rollout's second half", info.late_given["linked"], 0, late
        ).secondary(),
        above("without messages it grows as well", info.order["unlinked"], 0, order).secondary(),
        above("without messages it grows given the targets", info.order_given["unlinked"], 0, order).secondary(),
    ]


def draw(info: BindingInnerInfo) -> Chart:
    """The figure: binding information and loss along the inner loop after training."""
    error = binding.along({losses.label(name): curve for name, curve in info.loss.items()}, "Loss along the inner loop")
    error.y = "loss (chance = 1)"
    return Chart(
        [
            binding.along(info.curves, "Binding information of the outputs"),
            binding.along(info.curves_given, "Given the targets"),
            error,
        ],
        "Trained networks on 1000 fixed games, after every inner step: every seed, and the median. Binding information "
        "is 0 before experts have received any input, so that it must grow at first; hence the rank "
        "correlations. The loss rises before it falls.",
        columns=3,
    )


def _along(values: Numbers) -> Curve:
    return Curve(np.arange(1.0, values.shape[1] + 1), values)


def _order(curve: Curve) -> Numbers:
    return np.array([rank_correlation(curve.x, row) for row in curve.y])
