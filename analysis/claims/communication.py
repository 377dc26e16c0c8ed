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
REQUIRED_MEASURES = (RequiredMeasures(("message_ablation",), moments=11, arms=("linked",)),)


class Communication(NamedTuple):
    """What the figure shows.

    Attributes:
        arms: linked and unlinked.
        solved: whether each seed of the unlinked arm solved the task.
        times: iterations until each seed had, by arm.
        worth: loss of trained, linked networks when all links are cut, minus their loss.
    """

    arms: Arms
    solved: tuple[bool, ...]
    times: dict[str, Numbers]
    worth: Numbers


def compute(arms: Arms) -> Communication:
    """Times, and what cutting the links costs."""
    return Communication(
        arms=arms,
        solved=tuple(outcome.solved_iteration is not None for outcome in arms["unlinked"].outcomes),
        times={name: arm.times("solved_iteration") for name, arm in arms.items()},
        worth=_worth(arms["linked"]),
    )


def findings(info: Communication) -> list[Finding]:
    """The claim's parts: without links, and whether what was learned with links uses them; beside them, whether it is
    learned sooner, of which the document does not speak.
    """
    later = info.times["linked"] - info.times["unlinked"]
    sooner = info.arms["linked"].times("escape_iteration") - info.arms["unlinked"].times("escape_iteration")
    return [
        most("without any links most seeds solve the task", info.solved),
        above("networks trained with links lose when these are cut", info.worth, 0, "loss, cut minus whole"),
        below("with links chance is left sooner", sooner, 0, "iterations, paired by seed").secondary(),
        below("with links the task is solved sooner", later, 0, "iterations, paired by seed").secondary(),
    ]


def draw(info: Communication) -> Chart:
    """Loss, times, and the loss of silenced networks."""
    names = [losses.in_words(name) for name in info.times]
    cut = binding.panel({"linked": info.arms["linked"]}, "message_ablation/loss", "Loss when the links are cut")
    cut.y = "loss (chance = 1)"
    return Chart(
        [
            losses.panel(list(info.arms.values())),
            Panel("Solving the task", "", "iterations", groups(list(info.times.values()), names), ticks=names),
            cut,
        ],
        "Right: the networks that were trained with links, on fixed games, with all messages replaced by zeros, which "
        "they have not met in training.",
        columns=3,
    )


def _worth(arm: Arm) -> Numbers:
    """Loss when the links are cut minus the loss, on the same games, at the last moment at which both were measured."""
    cut, whole = arm.curve("message_ablation/loss"), arm.curve("evaluation/loss")
    when = float(np.intersect1d(cut.x, whole.x).max())
    return arm.at("message_ablation/loss", when) - arm.at("evaluation/loss", when)
