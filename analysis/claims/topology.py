"""The document: strongly connected graphs, and the Laplacian's spectrum, set the speed of convergence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from badger_sweeps.reporting.inference.evidence import Finding, above, below, ordered, within
from badger_sweeps.reporting.plotting.chart import Chart, Dots, Panel, groups
from badger_sweeps.reporting.reading.arms import Arms, Numbers

from ..shared import losses

CLAIM = (
    "Strongly connected graphs are to be preferred, and the eigenvalues of the graph's Laplacian play an important "
    "role in the speed of convergence."
)
REQUIRED_MEASURES = ()  # all it needs is measured during training
SAME = 0.1
"""Differences below this share of the mean time count as equally fast."""


class TopologyInfo(NamedTuple):
    """Times and graphs of each seed; all graphs have the same number of edges.

    Attributes:
        arms: by name.
        solved: iterations until the task was solved (the budget where it was not), by arm.
        rate: consensus rate of the graph, the smallest real part of the Laplacian's eigenvalues except one 0, by arm.
        strong: whether the graph is strongly connected, by arm.
        edges: number of edges of each graph.
        experts: number of experts.
    """

    arms: Arms
    solved: dict[str, Numbers]
    rate: dict[str, Numbers]
    strong: dict[str, Numbers]
    edges: Numbers
    experts: int


def compute(arms: Arms) -> TopologyInfo:
    """Times and graphs."""
    graphs = {name: [arm.run.summary.graphs[seed] for seed in arm.seeds] for name, arm in arms.items()}
    return TopologyInfo(
        arms=arms,
        solved={name: arm.times("solved_iteration") for name, arm in arms.items()},
        rate={name: np.array([graph.consensus_rate or 0.0 for graph in of_arm]) for name, of_arm in graphs.items()},
        strong={name: np.array([graph.strongly_connected for graph in of_arm]) for name, of_arm in graphs.items()},
        edges=np.array([graph.edges for of_arm in graphs.values() for graph in of_arm]),
        experts=int(arms["random"].run.config["topology.experts"]),
    )


def findings(info: TopologyInfo) -> list[Finding]:
    """The parts of the claim, among graphs with the same number of edges; secondary, the ring."""
    strong, random = info.solved["strongly_connected"], info.solved["random"]
    weak = ~info.strong["random"].astype(bool)
    rate, time = (np.concatenate([by_arm[name] for name in info.arms]) for by_arm in (info.rate, info.solved))
    coefficient, p_value = _within_seeds(rate, time, len(info.arms))
    return [
        below(
            "strongly connected graphs are faster than random ones that are not", (strong - random)[weak], 0,
            "iterations, paired by seed",
        ),
        ordered(
            "the task is solved sooner on graphs with a higher consensus rate", coefficient, p_value, len(rate),
            "Spearman's rank correlation of consensus rate and time", "permutations within seeds", sign=-1,
        ),
        above(
            "the ring, with a low consensus rate, is slower than strongly connected graphs",
            info.solved["ring"] - strong, 0, "iterations, paired by seed",
        ).secondary(),
        within(
            "the ring and strongly connected graphs are equally fast, to a tenth", info.solved["ring"] - strong,
            -SAME * float(strong.mean()), SAME * float(strong.mean()), "iterations, paired by seed",
        ).secondary(),
    ]  # fmt: skip


def draw(info: TopologyInfo) -> Chart:
    """The figure: losses and times by arm, and times over consensus rates."""
    names = [losses.label(name) for name in info.arms]
    by_rate = Panel("Consensus rate and time", "consensus rate of the graph", "iterations to solve the task")
    for color, name in enumerate(info.arms):
        by_rate.marks.append(Dots(info.rate[name], info.solved[name], color, losses.label(name), opacity=0.8))
    edges = f"{int(info.edges.min())}" + (f" to {int(info.edges.max())}" if np.ptp(info.edges) else "")
    return Chart(
        [
            losses.panel(list(info.arms.values())),
            Panel("Solving the task", "", "iterations", groups(list(info.solved.values()), names), ticks=names),
            by_rate,
        ],
        f"{info.experts} experts and {edges} edges in every graph, so that only their arrangement differs. On a graph "
        "with a consensus rate of 0 there is no expert whose messages reach all others.",
        columns=3,
    )


def _within_seeds(rate: Numbers, time: Numbers, arms: int) -> tuple[float, float]:
    """Spearman's rank correlation over all graphs, and its p-value by permutations of times within seeds."""
    if not np.ptp(rate) or not np.ptp(time):
        return np.nan, np.nan
    ranks, times = scipy.stats.rankdata(rate), scipy.stats.rankdata(time).reshape(arms, -1)
    rng = np.random.default_rng(0)
    found = float(np.corrcoef(ranks, times.ravel())[0, 1])
    draws = [np.corrcoef(ranks, rng.permuted(times, axis=0).ravel())[0, 1] for _ in range(9999)]
    return found, float((1 + np.sum(np.abs(draws) >= abs(found) - 1e-12)) / 10000)
