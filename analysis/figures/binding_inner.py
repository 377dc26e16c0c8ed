"""The document: binding information grows along the inner loop as well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arms, Curve, Numbers
from analysis.chart import Chart
from analysis.evidence import Finding, above
from analysis.figures import binding, losses
from analysis.needs import Need

CLAIM = "During the rollout of the inner loop binding information grows as well."
NEEDS = (Need(("inner_binding", "inner_loop"), moments=6),)
RAW, GIVEN = "binding/inner", "binding/inner_given_target"


class BindingInner(NamedTuple):
    """After training, along the inner loop.

    Attributes:
        curves: by arm: raw, in bits.
        curves_given: given the targets.
        loss: by arm.
        grown: from the first inner step to the last, by arm.
        grown_given: given the targets.
    """

    curves: dict[str, Curve]
    curves_given: dict[str, Curve]
    loss: dict[str, Curve]
    grown: dict[str, Numbers]
    grown_given: dict[str, Numbers]


def compute(arms: Arms) -> BindingInner:
    """What the trained networks do."""
    curves, given, loss = (
        {name: _along(arm.last(column)) for name, arm in arms.items()} for column in (RAW, GIVEN, "inner/loss")
    )
    grown, grown_given = ({name: own.y[:, -1] - own.y[:, 0] for name, own in each.items()} for each in (curves, given))
    return BindingInner(curves, given, loss, grown, grown_given)


def findings(info: BindingInner) -> list[Finding]:
    """That it grows, raw and given the targets; beside them the arm without links."""
    bits = "bits, the last inner step minus the first, after training"
    return [
        above("binding information grows along the inner loop", info.grown["linked"], 0, bits),
        above("it grows given the targets", info.grown_given["linked"], 0, bits),
        above("without any links it grows as well", info.grown["unlinked"], 0, bits).beside(),
        above("without any links it grows given the targets", info.grown_given["unlinked"], 0, bits).beside(),
    ]


def draw(info: BindingInner) -> Chart:
    """Along the inner loop, after training."""
    error = binding.along({losses.in_words(name): own for name, own in info.loss.items()}, "Loss along the inner loop")
    error.y = "loss (chance = 1)"
    return Chart(
        [
            binding.along(info.curves, "Binding information of the outputs"),
            binding.along(info.curves_given, "Given the targets"),
            error,
        ],
        "Trained networks, 1000 fixed games: after every inner step, every seed and the median.",
        columns=3,
    )


def _along(values: Numbers) -> Curve:
    return Curve(np.arange(1.0, values.shape[1] + 1), values)
