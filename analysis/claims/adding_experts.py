"""The document: experts are redundant, and beyond some number of experts more of them do not help."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, below, unknown
from badger_sweeps.reporting.plotting.chart import Area, Chart, Level, Line, Panel, groups
from badger_sweeps.reporting.reading.arms import Arms, Numbers
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

from ..shared import losses

CLAIM = (
    "The problem is redundancy-dominated: each new expert brings less and less new information, and there is a number "
    "of experts beyond which more do not improve the solution but slow its convergence."
)
REQUIRED_MEASURES = (RequiredMeasures(("adding_experts",), snapshots=2),)
MARGIN = 0.1
"""The smallest gain that counts, as a share of the mean final loss with 16 experts."""
PAIRED = "iterations, paired by seed"
"""The unit of differences between arms."""


class AddingExpertsInfo(NamedTuple):
    """Measures of the trained networks by arm, that is, by number of experts; arrays have a row for each seed.

    Attributes:
        arms: by name.
        experts: number of experts.
        shared: psi(L), the information that an expert shares with L others, in bits.
        task: the information of 1, 2, ... experts about the targets, in bits.
        concavity: of psi, above 0 for redundancy; NaN for two experts.
        task_concavity: of the information about the targets, above 0 for redundancy.
        o_information: in bits, above 0 for redundancy.
        solved: iterations until the task was solved (the budget where it was not).
        final: final loss.
    """

    arms: Arms
    experts: list[int]
    shared: list[Numbers]
    task: list[Numbers]
    concavity: list[Numbers]
    task_concavity: list[Numbers]
    o_information: list[Numbers]
    solved: list[Numbers]
    final: list[Numbers]


def compute(arms: Arms) -> AddingExpertsInfo:
    """Shared information, times and losses of all arms."""
    in_order = list(arms.values())

    def last(column: str) -> list[Numbers]:
        return [arm.last(column) if arm.has(column) else np.full(len(arm.seeds), np.nan) for arm in in_order]

    return AddingExpertsInfo(
        arms=arms,
        experts=[int(arm.run.config["topology.experts"]) for arm in in_order],
        shared=last("experts/shared"),
        task=last("experts/task"),
        concavity=last("experts/shared_concavity"),
        task_concavity=last("experts/task_concavity"),
        o_information=last("binding/o_information"),
        solved=[arm.times("solved_iteration") for arm in in_order],
        final=[arm.times("final_loss") for arm in in_order],
    )


def findings(info: AddingExpertsInfo) -> list[Finding]:
    """The parts of the claim; secondary, redundancy by two further measures."""
    reference, double, fewest = (info.experts.index(count) for count in (16, 32, 2))
    solved, budget = info.solved, max(arm.budget for arm in info.arms.values())
    margin = MARGIN * float(info.final[reference].mean())
    speed = [
        below("more experts help at first: 16 are faster than 2", solved[reference] - solved[fewest], 0, PAIRED),
        above("beyond some number they slow it: 32 are slower than 16", solved[double] - solved[reference], 0, PAIRED),
    ]
    if np.mean(np.concatenate([solved[reference], solved[double]]) >= budget) > 0.5:
        speed = [
            unknown(
                "more experts help at first, and slow it later",
                "needs more seeds that solve the task within the budget",
            )
        ]
    return [
        above(
            "the information of experts about the targets is concave in their number", info.task_concavity[reference],
            0, "bits",
        ),
        *speed,
        above(
            "nor do 32 experts end with a lower loss than 16", info.final[double] - info.final[reference], -margin,
            "final loss, paired by seed; the bound is minus a tenth of the mean with 16",
        ),
        above(
            "the information that an expert shares with L others is concave in L", info.concavity[reference], 0, "bits"
        ).secondary(),
        above("redundancy dominates by O-information, too", info.o_information[reference], 0, "bits").secondary(),
    ]  # fmt: skip


def draw(info: AddingExpertsInfo) -> Chart:
    """The figure: psi, information about the targets, O-information, times and losses by number of experts."""
    names = [str(count) for count in info.experts]
    shared = Panel("Information shared with L other experts", "L", "psi(L), bits")
    task = Panel("Information of L experts about the targets", "L", "bits")
    for place, count in enumerate(info.experts):
        for panel, values in ((shared, info.shared[place]), (task, info.task[place])):
            if values.ndim < 2 or not np.isfinite(values).any():
                continue
            size = np.arange(1, values.shape[1] + 1)
            panel.marks.append(Area(size, np.nanmin(values, axis=0), np.nanmax(values, axis=0), place))
            panel.marks.append(Line(size, np.nanmedian(values, axis=0), place, f"{count} experts"))
    time = Panel("Solving the task", "experts", "iterations", groups(info.solved, names), ticks=names)
    final = Panel("Final loss", "experts", "loss", groups(info.final, names), ticks=names, y_log=True)
    balance = Panel("O-information", "experts", "bits (above 0: redundancy)", [Level(0.0)], ticks=names)
    balance.marks += groups(info.o_information, names)
    return Chart(
        [shared, task, balance, time, final, losses.panel(list(info.arms.values()))],
        "Outputs of the trained experts on 1000 fixed games; medians and ranges over seeds. psi is concave for "
        "redundant experts.",
        columns=3,
    )
