"""The document: the exponential update removes the first plateau, and hidden states do not explode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, below
from badger_sweeps.reporting.plotting.chart import Area, Chart, Level, Line, Panel, seeds
from badger_sweeps.reporting.reading.arms import Arm, Arms, Curve, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import first_plateau, losses
from ..shared.first_plateau import FirstPlateau

CLAIM = (
    "The exponential update h <- 0.5 h + 0.7 (z h + (1 - z) v) removes the first plateau, and although 0.5 + 0.7 > 1 "
    "hidden states do not explode."
)
REQUIRED_MEASURES = (RequiredMeasures(("inner_loop", "gates"), moments=6),)

EXPONENTIAL = ("exponential_alike", "exponential")
GROWTH_OF_DIVERGED = 2.0
"""What a seed counts that diverged and has no states: more than any gates allow."""


class ExponentialUpdate(NamedTuple):
    """What the figure shows.

    Attributes:
        arms: by name.
        sizes: root mean square of the states along the inner loop, at the end of training; a row for each seed.
        carried: mean of the factor by which a state is carried on, a + b*z, over all steps; of each seed over training.
        growing: the share of components for which that exceeds 1, at the end of training; of each exponential arm.
        growth: by which the states' size grows from one inner step to the next, over the second half of the rollout:
            the most at any moment of training; of each exponential arm.
        open_gate: a + b, the growth with every gate open.
    """

    arms: dict[str, FirstPlateau]
    sizes: dict[str, Numbers]
    carried: dict[str, Curve]
    growing: dict[str, Numbers]
    growth: dict[str, Numbers]
    open_gate: float


def compute(arms: Arms) -> ExponentialUpdate:
    """When each arm leaves chance, and what becomes of its states."""
    sizes = {name: arm.last("inner/state_size") for name, arm in arms.items()}
    carried = {name: arm.curve("gate/carried") for name, arm in arms.items()}
    config = arms["exponential"].run.config
    return ExponentialUpdate(
        arms={name: first_plateau.compute(arm) for name, arm in arms.items()},
        sizes=sizes,
        carried={name: Curve(own.x, own.y.mean(axis=2)) for name, own in carried.items()},
        growing={name: arms[name].last("gate/growing") for name in EXPONENTIAL},
        growth={name: _growth(arms[name]) for name in EXPONENTIAL},
        open_gate=float(config["architecture.a"]) + float(config["architecture.b"]),
    )


def findings(info: ExponentialUpdate) -> list[Finding]:
    """The claim's parts: the plateau, of experts that start alike, since it is about their symmetry; and the states.

    Beside them, why states stay bounded, the contracting arm, and noisy starts.
    """
    gated, exponential, contracting = (info.arms[name] for name in ("gated", "exponential", "contracting"))
    alike = first_plateau.findings(info.arms["gated_alike"], info.arms["exponential_alike"], "the exponential update")
    noisy = first_plateau.findings(gated, exponential, "the exponential update, with noisy starts,")
    bound, unit = 1 + (info.open_gate - 1) / 2, f"half way between 1 and a + b = {info.open_gate:.3g}"
    unit = f"times from step to step, over the rollout's second half, the most in training; the bound is {unit}"
    return [
        *alike,
        below("hidden states do not explode", info.growth["exponential_alike"], bound, unit),
        below("hidden states do not explode with noisy starts", info.growth["exponential"], bound, unit).secondary(),
        *(
            below(
                f"the reason: gates close so far that a + b z is below 1 on average ({words})",
                info.carried[name].y[:, -1], 1.0,
                f"mean factor at the end of training (above 1 in {np.nanmean(info.growing[name]):.0%} of components)",
            ).secondary()
            for name, words in zip(EXPONENTIAL, ("starts alike", "noisy starts"), strict=True)
        ),
        below(
            "the exponential update leaves chance sooner than the same with a + b = 1",
            exponential.escape - contracting.escape, 0, "iterations, difference paired by seed, noisy starts",
        ).secondary(),
        *(finding.secondary() for finding in noisy),
    ]  # fmt: skip


def draw(info: ExponentialUpdate) -> Chart:
    """Loss, times, the size of states along the inner loop, and the factors that decide it."""
    panels = first_plateau.panels(list(info.arms.values()))
    along = Panel("Size of the states along the inner loop, after training", "inner step", "root mean square")
    factors = Panel("How much of a state is carried on", "iteration", "mean of a + b z", [Level(1.0, "grows above")])
    for place, (name, sizes) in enumerate(info.sizes.items()):
        step = np.arange(1, sizes.shape[1] + 1)
        along.marks.append(Area(step, np.nanmin(sizes, axis=0), np.nanmax(sizes, axis=0), place))
        along.marks.append(Line(step, np.nanmedian(sizes, axis=0), place, losses.in_words(name)))
        factors.marks += seeds(info.carried[name], place, losses.in_words(name))
    return Chart(
        [*panels, along, factors],
        "Top: block means of the loss and times, a dot for each seed; alike: states start with noise of 0.01 instead "
        "of 1. Bottom: the states' size after every inner step (median, range of seeds), and the mean factor a + b z "
        "over gates, games and steps: below 1 a state is forgotten, and what is added, b (1 - z) v with |v| < 1, keeps "
        "it bounded.",
        columns=3,
    )


def _growth(arm: Arm) -> Numbers:
    """Of the states' size from step to step, over the second half of the rollout: the most in training."""
    sizes = arm.curve("inner/state_size").y
    steps = sizes.shape[2]
    half = steps // 2
    growth = ((sizes[:, :, -1] / sizes[:, :, half - 1]) ** (1 / (steps - half))).max(axis=1)
    growth[[outcome.diverged for outcome in arm.outcomes]] = GROWTH_OF_DIVERGED
    return np.asarray(growth)
