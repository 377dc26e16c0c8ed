"""The document: the converged part of training has a positive largest Lyapunov exponent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from analysis.arms import Arm, Arms, Numbers
from analysis.chart import Chart, Level, Panel, groups
from analysis.evidence import Finding, above, most
from analysis.figures import losses
from analysis.measure import TWINS
from analysis.needs import Need
from badger_sweeps.measures.dynamics.lyapunov import rosenstein

CLAIM = (
    "The largest Lyapunov exponent of the converged part of training is positive, so that the solution is not "
    "asymptotically stable."
)
WINDOW = 512
SURROGATES = 39
"""Of each kind: the smallest p there is then is 0.025."""
TWIN_ITERATIONS = 400
SETTINGS = (f"measures.loss_chaos.window={WINDOW}", f"measures.loss_chaos.surrogates={SURROGATES}")
NEEDS = (
    Need(("loss_chaos",), moments=1, settings=SETTINGS),
    Need(twins=TWIN_ITERATIONS, moments=1),
)


class Lyapunov(NamedTuple):
    """Nats per iteration, of each seed.

    Attributes:
        arm: it.
        loss: Rosenstein's exponent of the last losses.
        phases: mean over surrogates with the same spectrum.
        p_adjusted: against surrogates with the same spectrum and distribution.
        noise: of as many values of Gaussian white noise, one series for each seed.
        twins: rate at which twin runs part that start next to each other.
        converged: whether each seed had solved the task before the window.
    """

    arm: Arm
    loss: Numbers
    phases: Numbers
    p_adjusted: Numbers
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
    own = {name: np.where(converged, arm.last(column), np.nan) for name, column in (
        ("loss", "lyapunov/loss"), ("phases", "lyapunov/loss_surrogate_mean"),
        ("p_adjusted", "lyapunov/loss_adjusted_p_value"), ("twins", TWINS),
    )}  # fmt: skip
    return Lyapunov(
        arm, own["loss"], own["phases"], own["p_adjusted"], np.asarray(noise.numpy()), own["twins"], converged
    )


def findings(info: Lyapunov) -> list[Finding]:
    """The number; that it is more than that of noise; and that twins part."""
    nats = "nats per iteration"
    beyond = [None if np.isnan(p) else bool(p < 0.05) for p in info.p_adjusted]
    return [
        above("the exponent of the converged loss is positive", info.loss, 0, nats),
        most(
            "it is beyond surrogates with the loss's own spectrum and distribution", beyond,
            f"of seeds with p < 0.05 against {SURROGATES} of them",
        ),
        above("runs that start next to each other part", info.twins, 0, f"{nats}, twins in weight space"),
        above("it exceeds that of phase-randomised surrogates", info.loss - info.phases, 0, f"{nats} more").beside(),
        above("it exceeds that of Gaussian white noise", info.loss - info.noise, 0, f"{nats} more").beside(),
    ]  # fmt: skip


def draw(info: Lyapunov) -> Chart:
    """The loss, and the exponent beside what noise gives."""
    names = ["loss", "phase surrogates", "white noise"]
    exponents = Panel(
        "Rosenstein's exponent of the converged loss", "", "nats per iteration", [Level(0.0)], ticks=names
    )
    exponents.marks += groups([info.loss, info.phases, info.noise], names)
    twins = Panel("Twin runs", "", "rate at which they part, nats per iteration", [Level(0.0)], ticks=["twins"])
    twins.marks += groups([info.twins], ["twins"], [3])
    loss = losses.panel([info.arm], "Loss with 3 numbers")
    loss.marks.append(Level(info.arm.budget - min(WINDOW, info.arm.budget), "window", upright=True))
    return Chart(
        [loss, exponents, twins],
        "nolds' estimator on the last losses (embedding 2, trajectories of 6) of seeds that had converged before. It "
        "is positive on white noise: only what lies beyond surrogates of the same distribution speaks for chaos. "
        f"Twins: the same games, weights that differ by 1e-5 of their length, over {TWIN_ITERATIONS} iterations.",
        columns=3,
    )
