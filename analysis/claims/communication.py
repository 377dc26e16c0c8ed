"""The document: the task can be solved without communication, but Badger exploits it when it is there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, below, most
from badger_sweeps.reporting.plotting.chart import Chart, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import binding, losses

CLAIM = "The task could be solved without communication at all, but Badger takes advantage of it when it is present."
REQUIRED_MEASURES = (RequiredMeasures(("message_ablation",), snapshots=11, arms=("linked",)),)


class CommunicationInfo(NamedTuple):
    """Both arms, and the message ablation.

    Attributes:
        arms: `linked`, and `unlinked` without messages.
        solved: whether each seed of `unlinked` solved the task.
        times: iterations until each seed solved the task (the budget where it did not), by arm.
        ablation: loss of the trained networks of `linked` under message ablation minus their loss, of each seed.
    """

    arms: Arms
    solved: tuple[bool, ...]
    times: dict[str, Numbers]
    ablation: Numbers


def compute(arms: Arms) -> CommunicationInfo:
    """Times of both arms, and the effect of message ablation."""
    return CommunicationInfo(
        arms=arms,
        solved=tuple(outcome.solved_iteration is not None for outcome in arms["unlinked"].outcomes),
        times={name: arm.times("solved_iteration") for name, arm in arms.items()},
        ablation=_ablation(arms["linked"]),
    )


def findings(info: CommunicationInfo) -> list[Finding]:
    """The parts of the claim; secondary, whether messages make learning faster, which the document does not claim."""
    solved = info.times["linked"] - info.times["unlinked"]
    escape = info.arms["linked"].times("escape_iteration") - info.arms["unlinked"].times("escape_iteration")
    return [
        most("without messages most seeds solve the task", info.solved),
        above(
            "message ablation increases the loss of networks trained with messages",
            info.ablation,
            0,
            "loss, with ablation minus without",
        ),
        below(
            "with messages a seed escapes its first plateau sooner", escape, 0, "iterations, paired by seed"
        ).secondary(),
        below("with messages the task is solved sooner", solved, 0, "iterations, paired by seed").secondary(),
    ]


def draw(info: CommunicationInfo) -> Chart:
    """The figure: loss, times, and the loss under message ablation."""
    names = [losses.label(name) for name in info.times]
    ablated = binding.panel({"linked": info.arms["linked"]}, "message_ablation/loss", "Loss under message ablation")
    ablated.y = "loss (chance = 1)"
    return Chart(
        [
            losses.panel(list(info.arms.values())),
            Panel("Solving the task", "", "iterations", groups(list(info.times.values()), names), ticks=names),
            ablated,
        ],
        "Right: the networks trained with messages, on fixed games, with all messages replaced by zeros. These "
        "networks did not receive zero messages in training.",
        columns=3,
    )


def _ablation(arm: Arm) -> Numbers:
    """The increase of the loss by message ablation, on the same games.

    Both losses are taken at the last iteration at which both were measured.
    """
    ablated, complete = arm.curve("message_ablation/loss"), arm.curve("evaluation/loss")
    when = float(np.intersect1d(ablated.x, complete.x).max())
    return arm.at("message_ablation/loss", when) - arm.at("evaluation/loss", when)
