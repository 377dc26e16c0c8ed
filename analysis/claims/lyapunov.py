"""The document: the converged part of training has a positive largest Lyapunov exponent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from badger_sweeps.measures.dynamics.lyapunov import rosenstein
from badger_sweeps.measures.dynamics.surrogates import amplitude_adjusted
from badger_sweeps.reporting.inference.evidence import Finding, above, within
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers
from badger_sweeps.reporting.remeasure.measure import PERTURBED_REPLICAS
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import losses

CLAIM = (
    "The largest Lyapunov exponent of the converged part of training is positive, so that the solution is not "
    "asymptotically stable."
)
WINDOW = 512
"""The last iterations, whose losses are the series."""
SURROGATES = 39
"""Surrogates with the spectrum of the loss; drawn when the exponents are measured."""
ADJUSTED = 19
"""Surrogates with the spectrum and the distribution of the loss; drawn when the claim is evaluated."""
SAME = 0.1
"""Differences below this share of the exponent of white noise count as 0."""
REPLICA_ITERATIONS = 400
"""Iterations over which perturbed replicas are trained."""
SETTINGS = (f"measures.loss_chaos.window={WINDOW}", f"measures.loss_chaos.surrogates={SURROGATES}")
REQUIRED_MEASURES = (
    RequiredMeasures(("loss_chaos",), snapshots=1, settings=SETTINGS),
    RequiredMeasures(replica_iterations=REPLICA_ITERATIONS, snapshots=1),
)


class LyapunovInfo(NamedTuple):
    """Largest Lyapunov exponents in nats per iteration, of each seed; NaN for a seed that had not converged.

    Attributes:
        arm: the arm.
        loss: Rosenstein's exponent of the losses in the window.
        phases: the same, mean over surrogates with the same spectrum.
        adjusted: the same, mean over surrogates with the same spectrum and distribution.
        largest: the same, the largest of these surrogates.
        noise: the same of Gaussian white noise, one series of the same length for each seed.
        replicas: rate at which perturbed replicas diverge from the run.
        converged: whether each seed had solved the task before the window.
    """

    arm: Arm
    loss: Numbers
    phases: Numbers
    adjusted: Numbers
    largest: Numbers
    noise: Numbers
    replicas: Numbers
    converged: tuple[bool, ...]


def compute(arms: Arms) -> LyapunovInfo:
    """The exponent of the loss, and those that it is compared with."""
    arm = arms["few"]
    window = min(WINDOW, arm.budget)
    generator = torch.Generator().manual_seed(0)
    noise = rosenstein(torch.randn(len(arm.seeds), window, generator=generator))
    start = arm.budget - window
    converged = tuple(
        outcome.solved_iteration is not None and outcome.solved_iteration <= start for outcome in arm.outcomes
    )
    series = torch.from_numpy(arm.every_iteration("loss")[:, start:].astype(np.float32))
    draws = amplitude_adjusted(series, ADJUSTED, torch.Generator().manual_seed(1))
    adjusted = np.stack([rosenstein(draw).numpy() for draw in draws])
    loss, phases, mean, largest, replicas = (np.where(converged, values, np.nan) for values in (
        arm.last("lyapunov/loss"), arm.last("lyapunov/loss_surrogate_mean"), adjusted.mean(axis=0),
        adjusted.max(axis=0), arm.last(PERTURBED_REPLICAS),
    ))  # fmt: skip
    return LyapunovInfo(arm, loss, phases, mean, largest, np.asarray(noise.numpy()), replicas, converged)


def findings(info: LyapunovInfo) -> list[Finding]:
    """The parts of the claim: a positive exponent, larger than that of noise, and replicas that diverge.

    Secondary: the exponents of other surrogates and of white noise.
    """
    nats, difference = "nats per iteration", "nats per iteration, difference"
    known = np.isfinite(info.loss)
    beyond = int((info.loss[known] > info.largest[known]).sum())
    return [
        above("the exponent of the converged loss is positive", info.loss, 0, nats),
        above(
            "it exceeds that of surrogates with the loss's own spectrum and distribution", info.loss - info.adjusted, 0,
            f"{difference} (above all {ADJUSTED} surrogates: {beyond} of {known.sum()} seeds)",
        ),
        above("perturbed replicas diverge from the run", info.replicas, 0, f"{nats}, in weight space"),
        above(
            "it exceeds that of surrogates with the same spectrum", info.loss - info.phases, 0, difference
        ).secondary(),
        within(
            "it is that of Gaussian white noise, to a tenth", info.loss - info.noise, -SAME * float(info.noise.mean()),
            SAME * float(info.noise.mean()), difference,
        ).secondary(),
    ]  # fmt: skip


def draw(info: LyapunovInfo) -> Chart:
    """The figure: the loss, its exponent with those of surrogates and noise, and the divergence of replicas."""
    names = ["loss", "surrogates", "white noise"]
    exponents = Panel(
        "Rosenstein's exponent of the converged loss", "", "nats per iteration", [Level(0.0)], ticks=names
    )
    exponents.marks += groups([info.loss, info.adjusted, info.noise], names)
    names = ["perturbed replicas"]
    replicas = Panel("Perturbed replicas", "", "divergence rate, nats per iteration", [Level(0.0)], ticks=names)
    replicas.marks += groups([info.replicas], names, [3])
    loss = losses.panel([info.arm], "Loss with 3 numbers")
    loss.marks.append(Level(info.arm.budget - min(WINDOW, info.arm.budget), "window", upright=True))
    return Chart(
        [loss, exponents, replicas],
        "nolds' estimator on the last losses (embedding 2, trajectories of 6) of seeds that had converged before. The "
        "exponent of white noise is positive: only a larger exponent than that of surrogates with the same spectrum "
        f"and distribution (means over {ADJUSTED}) is evidence of chaos. Perturbed replicas: the same games, and "
        f"weights that differ by 1e-5 of their norm, over {REPLICA_ITERATIONS} iterations.",
        columns=3,
    )
