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
SURROGATES = 39
"""With the same spectrum."""
ADJUSTED = 19
"""With the same distribution as well; drawn when the figure is computed."""
SAME = 0.1
"""Of the exponent of white noise: less than that apart is the same."""
TWIN_ITERATIONS = 400
SETTINGS = (f"measures.loss_chaos.window={WINDOW}", f"measures.loss_chaos.surrogates={SURROGATES}")
REQUIRED_MEASURES = (
    RequiredMeasures(("loss_chaos",), moments=1, settings=SETTINGS),
    RequiredMeasures(replica_iterations=TWIN_ITERATIONS, moments=1),
)


class Lyapunov(NamedTuple):
    """Nats per iteration, of each seed.

    Attributes:
        arm: it.
        loss: Rosenstein's exponent of the last losses.
        phases: mean over surrogates with the same spectrum.
        adjusted: mean over surrogates with the same spectrum and distribution.
        largest: the largest of these.
        noise: of as many values of Gaussian white noise, one series for each seed.
        twins: rate at which twin runs part that start next to each other.
        converged: whether each seed had solved the task before the window.
    """

    arm: Arm
    loss: Numbers
    phases: Numbers
    adjusted: Numbers
    largest: Numbers
    noise: Numbers
    twins: Numbers
    converged: tuple[bool, ...]


def compute(arms: Arms) -> Lyapunov:
    """The document's number beside what it must be compared with."""
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
    loss, phases, mean, largest, twins = (np.where(converged, values, np.nan) for values in (
        arm.last("lyapunov/loss"), arm.last("lyapunov/loss_surrogate_mean"), adjusted.mean(axis=0),
        adjusted.max(axis=0), arm.last(PERTURBED_REPLICAS),
    ))  # fmt: skip
    return Lyapunov(arm, loss, phases, mean, largest, np.asarray(noise.numpy()), twins, converged)


def findings(info: Lyapunov) -> list[Finding]:
    """The number; that it is more than that of noise; and that twins part."""
    nats, difference = "nats per iteration", "nats per iteration, difference"
    known = np.isfinite(info.loss)
    beyond = int((info.loss[known] > info.largest[known]).sum())
    return [
        above("the exponent of the converged loss is positive", info.loss, 0, nats),
        above(
            "it exceeds that of surrogates with the loss's own spectrum and distribution", info.loss - info.adjusted, 0,
            f"{difference} (above all {ADJUSTED} surrogates: {beyond} of {known.sum()} seeds)",
        ),
        above("runs that start next to each other part", info.twins, 0, f"{nats}, twins in weight space"),
        above(
            "it exceeds that of surrogates with the same spectrum", info.loss - info.phases, 0, difference
        ).secondary(),
        within(
            "it is that of Gaussian white noise, to a tenth", info.loss - info.noise, -SAME * float(info.noise.mean()),
            SAME * float(info.noise.mean()), difference,
        ).secondary(),
    ]  # fmt: skip


def draw(info: Lyapunov) -> Chart:
    """The loss, and the exponent beside what noise gives."""
    names = ["loss", "surrogates", "white noise"]
    exponents = Panel(
        "Rosenstein's exponent of the converged loss", "", "nats per iteration", [Level(0.0)], ticks=names
    )
    exponents.marks += groups([info.loss, info.adjusted, info.noise], names)
    twins = Panel("Twin runs", "", "rate at which they part, nats per iteration", [Level(0.0)], ticks=["twins"])
    twins.marks += groups([info.twins], ["twins"], [3])
    loss = losses.panel([info.arm], "Loss with 3 numbers")
    loss.marks.append(Level(info.arm.budget - min(WINDOW, info.arm.budget), "window", upright=True))
    return Chart(
        [loss, exponents, twins],
        "nolds' estimator on the last losses (embedding 2, trajectories of 6) of seeds that had converged before. It "
        "is positive on white noise: only what lies beyond surrogates of the same spectrum and distribution (means "
        f"over {ADJUSTED}) speaks for chaos. "
        f"Twins: the same games, weights that differ by 1e-5 of their length, over {TWIN_ITERATIONS} iterations.",
        columns=3,
    )
