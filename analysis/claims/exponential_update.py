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
REQUIRED_MEASURES = (RequiredMeasures(("inner_loop", "gates"), snapshots=6),)

EXPONENTIAL = ("exponential_alike", "exponential")
"""The arms with the exponential update: alike and noisy initial states."""
GROWTH_OF_DIVERGED = 2.0
"""The growth of states assigned to a seed that diverged: more than any gates allow."""


class ExponentialUpdateInfo(NamedTuple):
    """First plateaus and hidden states, by arm.

    Attributes:
        arms: the first plateau of each arm.
        sizes: root mean square of the states over inner steps, at the end of training; a row for each seed.
        carried: the factor a + b*z by which a state is multiplied, mean over inner steps; of each seed over training.
        growing: share of components with a factor above 1, at the end of training, of each seed; of the exponential
            arms.
        growth: factor by which the size of the states grows per inner step, over the second half of the rollout, the
            largest at any snapshot, of each seed; of the exponential arms.
        open_gate: a + b, the factor with every gate open.
    """

    arms: dict[str, FirstPlateau]
    sizes: dict[str, Numbers]
    carried: dict[str, Curve]
    growing: dict[str, Numbers]
    growth: dict[str, Numbers]
    open_gate: float


def compute(arms: Arms) -> ExponentialUpdateInfo:
    """First plateaus, and sizes and factors of the states."""
    sizes = {name: arm.last("inner/state_size") for name, arm in arms.items()}
    carried = {name: arm.curve("gate/carried") for name, arm in arms.items()}
    config = arms["exponential"].run.config
    return ExponentialUpdateInfo(
        arms={name: first_plateau.compute(arm) for name, arm in arms.items()},
        sizes=sizes,
        carried={name: Curve(curve.x, curve.y.mean(axis=2)) for name, curve in carried.items()},
        growing={name: arms[name].last("gate/growing") for name in EXPONENTIAL},
        growth={name: _growth(arms[name]) for name in EXPONENTIAL},
        open_gate=float(config["architecture.a"]) + float(config["architecture.b"]),
    )


def findings(info: ExponentialUpdateInfo) -> list[Finding]:
    """The parts of the claim: the first plateau, of experts with alike initial states, and the size of the states.

    Alike initial states, since the claim is about the symmetry of experts. Secondary: why states stay bounded, the
    contracting arm, and noisy initial states.
    """
    gated, exponential, contracting = (info.arms[name] for name in ("gated", "exponential", "contracting"))
    alike = first_plateau.findings(info.arms["gated_alike"], info.arms["exponential_alike"], "the exponential update")
    noisy = first_plateau.findings(gated, exponential, "the exponential update, with noisy starts,")
    bound, unit = 1 + (info.open_gate - 1) / 2, f"half way between 1 and a + b = {info.open_gate:.3g}"
    unit = f"times per inner step, over the rollout's second half, the largest in training; the bound is {unit}"
    return [
        *alike,
        below("hidden states do not explode", info.growth["exponential_alike"], bound, unit),
        below("hidden states do not explode with noisy starts", info.growth["exponential"], bound, unit).secondary(),
        *(
            below(
                f"the reason: gates close so far that a + b z is below 1 on average ({initial_states})",
                info.carried[name].y[:, -1], 1.0,
                f"mean factor at the end of training (above 1 in {np.nanmean(info.growing[name]):.0%} of components)",
            ).secondary()
            for name, initial_states in zip(EXPONENTIAL, ("starts alike", "noisy starts"), strict=True)
        ),
        below(
            "with the exponential update a seed escapes its first plateau sooner than with a + b = 1",
            exponential.escape - contracting.escape, 0, "iterations, difference paired by seed, noisy starts",
        ).secondary(),
        *(finding.secondary() for finding in noisy),
    ]  # fmt: skip


def draw(info: ExponentialUpdateInfo) -> Chart:
    """The figure: loss, times, and sizes and factors of the states."""
    panels = first_plateau.panels(list(info.arms.values()))
    along = Panel("Size of the states along the inner loop, after training", "inner step", "root mean square")
    factors = Panel(
        "Factor by which a state is multiplied", "iteration", "mean of a + b z", [Level(1.0, "grows above")]
    )
    for color, (name, sizes) in enumerate(info.sizes.items()):
        step = np.arange(1, sizes.shape[1] + 1)
        along.marks.append(Area(step, np.nanmin(sizes, axis=0), np.nanmax(sizes, axis=0), color))
        along.marks.append(Line(step, np.nanmedian(sizes, axis=0), color, losses.label(name)))
        factors.marks += seeds(info.carried[name], color, losses.label(name))
    return Chart(
        [*panels, along, factors],
        "Top: block means of the loss, and times, a dot for each seed. Alike: initial states have noise of 0.01 "
        "instead of 1. Bottom: size of the states after every inner step (median and range of seeds), and the factor "
        "a + b z, mean over gates, games and steps. A state decays where the factor is below 1, and the term "
        "b (1 - z) v with |v| < 1 that is added keeps it bounded.",
        columns=3,
    )


def _growth(arm: Arm) -> Numbers:
    """The growth of the states' size per inner step, over the second half of the rollout: the largest in training."""
    sizes = arm.curve("inner/state_size").y
    steps = sizes.shape[2]
    half = steps // 2
    growth = ((sizes[:, :, -1] / sizes[:, :, half - 1]) ** (1 / (steps - half))).max(axis=1)
    growth[[outcome.diverged for outcome in arm.outcomes]] = GROWTH_OF_DIVERGED
    return np.asarray(growth)
