"""The document: transiently chaotic networks are very hard to make converge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, below, most
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups, seeds
from badger_sweeps.reporting.reading.arms import Arms, Curve, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import losses

CLAIM = (
    "Transiently chaotic networks (TCNN), meant to leave saddles, proved very difficult to make converge in the end."
)
REQUIRED_MEASURES = (RequiredMeasures(("inner_chaos",), moments=6),)


class TransientChaos(NamedTuple):
    """By arm.

    Attributes:
        arms: gated cells, annealed chaos, the same cell without self-feedback, and with a constant one.
        final: final loss (1 where a seed diverged).
        solved: iterations until the task was solved.
        exponent: largest Lyapunov exponent of the inner loop over training, nats per inner step.
    """

    arms: Arms
    final: dict[str, Numbers]
    solved: dict[str, Numbers]
    exponent: dict[str, Curve]


def compute(arms: Arms) -> TransientChaos:
    """How far each arm came, and whether it was chaotic."""
    final = {
        name: np.array([1.0 if own.final_loss is None else own.final_loss for own in arm.outcomes])
        for name, arm in arms.items()
    }
    return TransientChaos(
        arms=arms,
        final=final,
        solved={name: arm.times("solved_iteration") for name, arm in arms.items()},
        exponent={name: arm.curve("lyapunov/inner") for name, arm in arms.items()},
    )


def findings(info: TransientChaos) -> list[Finding]:
    """The claim's parts; beside them, whether chaos is to blame."""
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
            "its chaos is to blame: the same cell without self-feedback ends with a lower loss",
            info.final["annealed"] - info.final["no_feedback"], 0, loss,
        ).secondary(),
        above("the inner loop is chaotic before training", annealed[:, 0], 0, nats).secondary(),
        below("and no longer at its end", annealed[:, -1], 0, nats).secondary(),
        above(
            "chaos that stays ends with a higher loss than chaos that goes",
            info.final["constant"] - info.final["annealed"], 0, loss,
        ).secondary(),
    ]  # fmt: skip


def draw(info: TransientChaos) -> Chart:
    """Loss, final loss, and the exponent of the inner loop."""
    names = [losses.in_words(name) for name in info.arms]
    chaos = Panel(
        "Chaos of the inner loop", "iteration", "largest exponent, nats per step", [Level(0.0, "chaotic above")]
    )
    for place, (name, curve) in enumerate(info.exponent.items()):
        chaos.marks += seeds(curve, place, losses.in_words(name))
    return Chart(
        [
            losses.panel(list(info.arms.values())),
            Panel("Final loss", "", "loss (chance = 1)", groups(list(info.final.values()), names), ticks=names),
            chaos,
        ],
        "Annealed: self-feedback z decays over training, chaotic at first. No feedback: z = 0. Constant: z = 17 "
        "throughout.",
        columns=3,
    )
