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
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train
SAME = 0.1
"""Of the mean time: less than that apart is equally fast."""


class Topology(NamedTuple):
    """All graphs have the same number of links.

    Attributes:
        arms: by name.
        solved: iterations until the task was solved (the budget where it was not), by arm.
        rate: consensus rate of every seed's graph, the smallest real part of the Laplacian's spectrum without one 0.
        strong: whether it is strongly connected.
        edges: how many links each graph has.
        experts: how many experts.
    """

    arms: Arms
    solved: dict[str, Numbers]
    rate: dict[str, Numbers]
    strong: dict[str, Numbers]
    edges: Numbers
    experts: int


def compute(arms: Arms) -> Topology:
    """Times and graphs."""
    graphs = {name: [arm.run.summary.graphs[seed] for seed in arm.seeds] for name, arm in arms.items()}
    return Topology(
        arms=arms,
        solved={name: arm.times("solved_iteration") for name, arm in arms.items()},
        rate={name: np.array([graph.consensus_rate or 0.0 for graph in own]) for name, own in graphs.items()},
        strong={name: np.array([graph.strongly_connected for graph in own]) for name, own in graphs.items()},
        edges=np.array([graph.edges for own in graphs.values() for graph in own]),
        experts=int(arms["random"].run.config["topology.experts"]),
    )


def findings(info: Topology) -> list[Finding]:
    """The claim's parts, among graphs of one number of links."""
    strong, random = info.solved["strongly_connected"], info.solved["random"]
    weak = ~info.strong["random"].astype(bool)
    rate, time = (np.concatenate([own[name] for name in info.arms]) for own in (info.rate, info.solved))
    coefficient, p_value = _within_seeds(rate, time, len(info.arms))
    return [
        below(
            "strongly connected graphs are faster than random ones that are not", (strong - random)[weak], 0,
            "iterations, paired by seed",
        ),
        ordered(
            "the faster a graph agrees, the sooner the task is solved", coefficient, p_value, len(rate),
            "Spearman's rank correlation of consensus rate and time", "permutations within seeds", sign=-1,
        ),
        above(
            "the ring, which agrees slowly, is slower than strongly connected graphs", info.solved["ring"] - strong, 0,
            "iterations, paired by seed",
        ).secondary(),
        within(
            "the ring and strongly connected graphs are equally fast, to a tenth", info.solved["ring"] - strong,
            -SAME * float(strong.mean()), SAME * float(strong.mean()), "iterations, paired by seed",
        ).secondary(),
    ]  # fmt: skip


def draw(info: Topology) -> Chart:
    """Times by family, and time against consensus rate."""
    names = [losses.in_words(name) for name in info.arms]
    cloud = Panel("Consensus rate and time", "consensus rate of the graph", "iterations to solve the task")
    for place, name in enumerate(info.arms):
        cloud.marks.append(Dots(info.rate[name], info.solved[name], place, losses.in_words(name), opacity=0.8))
    edges = f"{int(info.edges.min())}" + (f" to {int(info.edges.max())}" if np.ptp(info.edges) else "")
    return Chart(
        [
            losses.panel(list(info.arms.values())),
            Panel("Solving the task", "", "iterations", groups(list(info.solved.values()), names), ticks=names),
            cloud,
        ],
        f"{info.experts} experts and {edges} links in every graph, so that only their place differs. A graph whose "
        "consensus rate is 0 does not agree: some expert's messages do not reach all others, nor does anybody's.",
        columns=3,
    )


def _within_seeds(rate: Numbers, time: Numbers, arms: int) -> tuple[float, float]:
    """Spearman's correlation over all graphs, and its p when times are exchanged between the graphs of a seed."""
    if not np.ptp(rate) or not np.ptp(time):
        return np.nan, np.nan
    ranks, times = scipy.stats.rankdata(rate), scipy.stats.rankdata(time).reshape(arms, -1)
    rng = np.random.default_rng(0)
    found = float(np.corrcoef(ranks, times.ravel())[0, 1])
    draws = [np.corrcoef(ranks, rng.permuted(times, axis=0).ravel())[0, 1] for _ in range(9999)]
    return found, float((1 + np.sum(np.abs(draws) >= abs(found) - 1e-12)) / 10000)
