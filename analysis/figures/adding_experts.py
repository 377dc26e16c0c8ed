"""The document: adding experts is redundancy-dominated, and beyond some number it does not help any more."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arms, Numbers
from analysis.chart import Area, Chart, Level, Line, Panel, groups
from analysis.evidence import Finding, above, below
from analysis.figures import losses
from analysis.needs import Need

CLAIM = (
    "The problem is redundancy-dominated: each new expert brings less and less new information, and there is a number "
    "of experts beyond which more do not improve the solution but slow its convergence."
)
NEEDS = (Need(("adding_experts", "binding"), moments=2),)
MARGIN = 0.1


class AddingExperts(NamedTuple):
    """By number of experts.

    Attributes:
        arms: by name.
        experts: how many.
        shared: psi(L), information that an expert shares with L others, of the trained networks, in bits; by arm.
        task: what 1, 2, ... experts tell of the targets, in bits; by arm.
        concavity: of psi, above 0 for redundancy; by arm, NaN for two experts.
        o_information: above 0 for redundancy; by arm.
        solved: iterations until the task was solved; by arm.
        final: final loss; by arm.
    """

    arms: Arms
    experts: list[int]
    shared: list[Numbers]
    task: list[Numbers]
    concavity: list[Numbers]
    o_information: list[Numbers]
    solved: list[Numbers]
    final: list[Numbers]


def compute(arms: Arms) -> AddingExperts:
    """What trained experts share, and what more of them bring."""
    own = list(arms.values())

    def last(column: str) -> list[Numbers]:
        return [arm.last(column) if arm.has(column) else np.full(len(arm.seeds), np.nan) for arm in own]

    return AddingExperts(
        arms=arms,
        experts=[int(arm.run.config["topology.experts"]) for arm in own],
        shared=last("experts/shared"),
        task=last("experts/task"),
        concavity=last("experts/shared_concavity"),
        o_information=last("binding/o_information"),
        solved=[arm.times("solved_iteration") for arm in own],
        final=[arm.times("final_loss") for arm in own],
    )


def findings(info: AddingExperts) -> list[Finding]:
    """The claim's parts."""
    reference = info.experts.index(16)
    most, double = info.solved[reference], info.solved[-1]
    few, margin = info.solved[0], MARGIN * float(most.mean())
    return [
        above("16 trained experts are redundant: psi(L) is concave", info.concavity[reference], 0, "bits"),
        below("more experts help at first: 16 are faster than 2", most - few, 0, "iterations, paired by seed"),
        above(
            "further ones do not: 32 experts are not faster than 16", double - most, -margin,
            "iterations, paired by seed (not faster: less than a tenth)",
        ),
        above("redundancy dominates by O-information, too", info.o_information[reference], 0, "bits").beside(),
        above("32 experts are slower than 16", double - most, 0, "iterations, paired by seed").beside(),
    ]  # fmt: skip


def draw(info: AddingExperts) -> Chart:
    """psi, task information, O-information, times and losses by number of experts."""
    names = [str(count) for count in info.experts]
    shared = Panel("What an expert shares with L others", "L", "psi(L), bits")
    task = Panel("What L experts tell of the targets", "L", "bits")
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
        "Outputs of the trained experts on 1000 fixed games; medians and ranges over seeds. psi concave: redundancy.",
        columns=3,
    )
