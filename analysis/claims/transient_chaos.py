"""The document: transiently chaotic networks hardly converge."""

from __future__ import annotations

from typing import NamedTuple

from badger_sweeps.reporting.inference.evidence import Finding, above, below, most
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups, seeds
from badger_sweeps.reporting.reading.arms import Arms, Curve, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import losses

CLAIM = (
    "Transiently chaotic networks (TCNN), meant to leave saddles, proved very difficult to make converge in the end."
)
REQUIRED_MEASURES = (RequiredMeasures(("inner_chaos",), snapshots=6),)


class TransientChaosInfo(NamedTuple):
    """Losses, times and Lyapunov exponents of each seed, by arm.

    Attributes:
        arms: `gated`, and the chaotic cell with `annealed`, `constant` and no self-feedback (`no_feedback`).
        final: final loss (1 where a seed diverged).
        solved: iterations until the task was solved (the budget where it was not).
        exponent: largest Lyapunov exponent of the inner loop over training, in nats per inner step.
    """

    arms: Arms
    final: dict[str, Numbers]
    solved: dict[str, Numbers]
    exponent: dict[str, Curve]


def compute(arms: Arms) -> TransientChaosInfo:
    """Losses, times and exponents of all arms."""
    return TransientChaosInfo(
        arms=arms,
        final={name: arm.times("final_loss") for name, arm in arms.items()},
        solved={name: arm.times("solved_iteration") for name, arm in arms.items()},
        exponent={name: arm.curve("lyapunov/inner") for name, arm in arms.items()},
    )


def findings(info: TransientChaosInfo) -> list[Finding]:
    """The parts of the claim; secondary, whether chaos is the cause."""
    loss, nats = "final loss, paired by seed", "nats per inner step"
    annealed = info.exponent["annealed"].y
    unsolved = [outcome.solved_iteration is None for outcome in info.arms["annealed"].outcomes]
    plain = sum(outcome.solved_iteration is not None for outcome in info.arms["gated"].outcomes)
    return [
        most(
            "most of its seeds do not solve the task within the budget", unsolved,
            f"of seeds (of gated experts {plain} of {len(unsolved)} solve it)",
        ),
        above("it ends with a higher loss than gated experts", info.final["annealed"] - info.final["gated"], 0, loss),
        above(
            "chaos is the cause: the same cell without self-feedback ends with a lower loss",
            info.final["annealed"] - info.final["no_feedback"], 0, loss,
        ).secondary(),
        above("the inner loop is chaotic before training", annealed[:, 0], 0, nats).secondary(),
        below("the inner loop is not chaotic at the end of training", annealed[:, -1], 0, nats).secondary(),
        above(
            "permanent chaos ends with a higher loss than annealed chaos",
            info.final["constant"] - info.final["annealed"], 0, loss,
        ).secondary(),
    ]  # fmt: skip


def draw(info: TransientChaosInfo) -> Chart:
    """The figure: loss, final loss, and the exponent of the inner loop."""
    names = [losses.label(name) for name in info.arms]
    chaos = Panel(
        "Chaos of the inner loop", "iteration", "largest exponent, nats per step", [Level(0.0, "chaotic above")]
    )
    for color, (name, curve) in enumerate(info.exponent.items()):
        chaos.marks += seeds(curve, color, losses.label(name))
    return Chart(
        [
            losses.panel(list(info.arms.values())),
            Panel("Final loss", "", "loss (chance = 1)", groups(list(info.final.values()), names), ticks=names),
            chaos,
        ],
        "Annealed: the self-feedback z decays over training, so that the inner loop is chaotic at first. No feedback: "
        "z = 0. Constant: z = 17.",
        columns=3,
    )
