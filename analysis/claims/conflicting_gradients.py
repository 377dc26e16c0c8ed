"""The document: gradients of single dimensions conflict, and nearly cancel, on plateaus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, below
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups, seeds
from badger_sweeps.reporting.reading.arms import Arm, Arms, Curve, Numbers, on_plateau

from ..shared import losses

CLAIM = "On plateaus the gradients of the single dimensions conflict and almost cancel each other."
REQUIRED_MEASURES = ()  # all it needs is measured during training
SMALL = 0.5
"""Below this share of its norm between plateaus a gradient counts as small."""
NEARLY = 0.25
"""Gradients nearly cancel if the norm of their mean is below this share of their mean norm."""


class ConflictingGradientsInfo(NamedTuple):
    """Gradients of the single dimensions, on plateaus and between them; arrays have a value for each seed.

    Attributes:
        arm: the arm.
        cosine: mean cosine of pairs of dimensions, over training.
        cancellation: norm of the mean gradient over the mean norm, over training.
        on: means of `cosine` and `cancellation` on plateaus above level 0.
        off: their means between plateaus, before the task is solved.
        by_level: mean `cancellation` on plateaus of each level; NaN for a seed without a plateau at that level.
        norms: median norm of the whole gradient in training, on plateaus over between them.
    """

    arm: Arm
    cosine: Curve
    cancellation: Curve
    on: tuple[Numbers, Numbers]
    off: tuple[Numbers, Numbers]
    by_level: dict[float, Numbers]
    norms: Numbers


def compute(arms: Arms) -> ConflictingGradientsInfo:
    """Means on plateaus and between them."""
    arm = arms["badger"]
    curves = cosine, cancellation = arm.curve("gradient/cosine_mean"), arm.curve("gradient/cancellation")
    on, off = ([_over(arm, curve, within, np.mean) for curve in curves] for within in (True, False))
    levels = sorted({plateau.staircase_level for outcome in arm.outcomes for plateau in outcome.unsolved_plateaus})
    norms = arm.every_iteration("grad_norm")
    norm = Curve(np.arange(norms.shape[1], dtype=float), norms)
    return ConflictingGradientsInfo(
        arm=arm,
        cosine=cosine,
        cancellation=cancellation,
        on=(on[0], on[1]),
        off=(off[0], off[1]),
        by_level={level: _over(arm, cancellation, True, np.mean, level) for level in reversed(levels)},
        norms=_over(arm, norm, True, np.median) / _over(arm, norm, False, np.median),
    )


def findings(info: ConflictingGradientsInfo) -> list[Finding]:
    """The parts of the claim; secondary, plateaus compared with the iterations between them."""
    return [
        below("on plateaus the dimensions' gradients conflict", info.on[0], 0, "mean cosine of pairs of dimensions"),
        below(
            "on plateaus they nearly cancel", info.on[1], NEARLY,
            f"norm of the mean gradient over the mean norm (1: all alike, {info.arm.dims**-0.5:.2g}: orthogonal)",
        ),
        below(
            "on plateaus they cancel more than between them", info.on[1] - info.off[1], 0, "difference, paired by seed"
        ).secondary(),
        below(
            "on plateaus the norm of the whole gradient is less than half of that between them", info.norms, SMALL,
            "median norm in training, on plateaus over between them",
        ).secondary(),
    ]  # fmt: skip


def draw(info: ConflictingGradientsInfo) -> Chart:
    """The figure: cosine and cancellation over training and on plateaus, and the loss."""
    orthogonal = info.arm.dims**-0.5
    cosine = Panel("Cosine of the dimensions' gradients", "iteration", "mean over pairs", [Level(0, "conflict below")])
    cosine.marks += seeds(info.cosine, 0, "")
    cancellation = Panel("Norm of the mean over the mean norm", "iteration", "ratio", [Level(orthogonal, "orthogonal")])
    cancellation.marks += seeds(info.cancellation, 0, "")
    names, levels = ["on plateaus", "between them"], [f"{level:.2g}" for level in info.by_level]
    return Chart(
        [
            losses.panel([info.arm]), cosine, cancellation,
            Panel("Cosine", "", "mean of pairs", [Level(0.0), *groups([info.on[0], info.off[0]], names)], ticks=names),
            Panel(
                "Norm of the mean over the mean norm", "", "ratio",
                [Level(orthogonal, "orthogonal"), *groups([info.on[1], info.off[1]], names)], ticks=names,
            ),
            Panel(
                "The same, by the plateau's level", "level", "ratio",
                [Level(NEARLY, "nearly cancel below"), *groups(list(info.by_level.values()), levels)], ticks=levels,
            ),
        ],
        "Gradients of the outer loss of each dimension on 256 fixed games; bottom: means within detected plateaus "
        "above level 0, and between them until the task is solved.",
        columns=3,
    )  # fmt: skip


def _over(
    arm: Arm, curve: Curve, within: bool, average: Callable[[Numbers], np.floating[Any]], level: float | None = None
) -> Numbers:
    """The average of each seed on plateaus (above level 0, or at `level`), or between them.

    NaN for a seed in which nothing was measured there.
    """
    found = []
    for row, outcome in zip(curve.y, arm.outcomes, strict=True):
        on = on_plateau(outcome, curve.x, level)
        until = np.inf if outcome.solved_iteration is None else outcome.solved_iteration
        chosen = on if within else ~on & (curve.x < until)
        known = row[chosen & np.isfinite(row)]
        found.append(float(average(known)) if len(known) else np.nan)
    return np.array(found)
