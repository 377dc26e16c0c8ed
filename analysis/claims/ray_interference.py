"""The document: reinforcement learning and Badger solve one dimension after another, supervised learning does not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from badger_sweeps.measures.landscape.rays import Learning, field, trajectory
from badger_sweeps.measures.landscape.sequentiality import sequentiality
from badger_sweeps.reporting.inference.evidence import Finding, above
from badger_sweeps.reporting.plotting.chart import GREY, Area, Chart, Level, Line, Mark, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Curve, Numbers

CLAIM = (
    "Supervised learning moves straight to the solution; reinforcement learning solves the two dimensions one by one, "
    "and so does Badger."
)
REQUIRED_MEASURES = ()  # all it needs is measured during training
STARTS = (0.02, 0.03, 0.05, 0.08, 0.12)
"""Values of J near zero, where learning begins; the toy system starts at all pairs of different ones."""
ONE_BY_ONE = 0.5
"""The sequentiality half way from all at once (0) to one by one (1)."""
LONG_BLOCK = 25
"""Iterations over which J is averaged before drops are detected; learning a dimension takes hundreds."""
VARIANCE_AT_CHANCE = 0.8
"""The variance of the normalised error 3 t^2 of one number of one game, t ~ U[-1, 1]."""
NOISE_DROPS = 6
"""The least drop that counts, in standard deviations of J (`measures.landscape.sequentiality`)."""
FIRST, SECOND = 0, 1
"""Colour numbers of the two dimensions of the toy system."""
LEARNED = 1.8
"""The least J1 + J2 that a seed must reach for its S to be comparable."""


class RayInterferenceInfo(NamedTuple):
    """Paths and sequentiality S of the toy system and of Badger.

    Attributes:
        arm: Badger with two numbers.
        toy: paths (J1, J2) of Schaul's system, by kind of learning.
        toy_sequentiality: S of these paths, by kind of learning, in the order of starts.
        paths: J1 and J2 of each seed in block means.
        sequentiality: S of each seed.
        reached: the largest J1 + J2 of each seed (2: all is learned).
        suppression: the largest drop of J of the dimension that is learned later, in means of `LONG_BLOCK` iterations,
            of each seed.
        noise: standard deviation of J in such a mean at chance, where it is largest.
    """

    arm: Arm
    toy: dict[Learning, list[Numbers]]
    toy_sequentiality: dict[Learning, Numbers]
    paths: Curve
    sequentiality: Numbers
    reached: Numbers
    suppression: Numbers
    noise: float


def compute(arms: Arms) -> RayInterferenceInfo:
    """Paths and sequentiality of the toy system and of Badger."""
    arm = arms["badger"]
    starts = [(first, second) for first in STARTS for second in STARTS if first != second]
    kinds: tuple[Learning, ...] = ("supervised", "rl")
    toy: dict[Learning, list[Numbers]] = {
        kind: [np.asarray(trajectory(start, kind, points=200).j) for start in starts] for kind in kinds
    }
    dims = [arm.blocks(f"loss_dim/{dim}") for dim in range(2)]
    solved = 1 - np.stack([curve.y for curve in dims], axis=2)
    found = sequentiality(torch.from_numpy(1 - solved))
    every = np.stack([arm.every_iteration(f"loss_dim/{dim}") for dim in range(2)], axis=2)
    drops = sequentiality(torch.from_numpy(every), block=LONG_BLOCK).suppression
    return RayInterferenceInfo(
        arm=arm,
        toy=toy,
        toy_sequentiality={kind: np.array([_of_path(path) for path in paths]) for kind, paths in toy.items()},
        paths=Curve(dims[0].x, solved),
        sequentiality=np.asarray(found.sequentiality.numpy()),
        reached=np.asarray(found.reached.numpy()),
        suppression=np.asarray(drops.numpy()),
        noise=math.sqrt(VARIANCE_AT_CHANCE / (LONG_BLOCK * int(arm.run.config["training.batch_size"]))),
    )


def findings(info: RayInterferenceInfo) -> list[Finding]:
    """The parts of the claim about Badger; those about the toy system follow from its equations and need no test.

    Secondary: the drop of the dimension that is learned later.
    """
    supervised, rl = (float(info.toy_sequentiality[kind].mean()) for kind in ("supervised", "rl"))
    learned = np.where(info.reached >= LEARNED, info.sequentiality, np.nan)
    unit = (
        f"S of seeds that learned both (0: at once, 1: one by one; the toy: supervised {supervised:.2f}, RL {rl:.2f})"
    )
    drop = above(
        "the dimension that is learned later drops meanwhile, by more than noise", info.suppression,
        NOISE_DROPS * info.noise, f"drop of J in means of {LONG_BLOCK} iterations",
    )  # fmt: skip
    return [
        above("Badger is more sequential than supervised learning", learned, supervised, unit),
        above("Badger learns one dimension after the other", learned, ONE_BY_ONE, unit),
        replace(drop, p_against=1.0).secondary(),  # a drop within noise is no evidence against it
    ]  # fmt: skip


def draw(info: RayInterferenceInfo) -> Chart:
    """The figure: paths of the toy system as in the document, paths of Badger, and the sequentiality of both."""
    panels = []
    titles: dict[Learning, str] = {"supervised": "Supervised learning (toy)", "rl": "Reinforcement learning (toy)"}
    for kind, title in titles.items():
        panel = Panel(title, "J1", "J2", _winner_takes_all(kind), y_range=(-0.05, 1.05), square=True)
        panel.marks += [Line(path[:, 0], path[:, 1], _basin(path), width=1.0) for path in info.toy[kind]]
        panels.append(panel)
    badger = Panel("Micro-Badger, two numbers", "J1", "J2", [Level(1.0)], y_range=(-0.15, 1.05), square=True)
    badger.marks += [Line(path[:, 0], path[:, 1], seed, width=1.2) for seed, path in enumerate(info.paths.y)]
    names = ["supervised", "RL", "Badger"]
    statistic = Panel("Sequentiality", "", "S (1: one by one)", [Level(0.0), Level(1.0)], ticks=names)
    values = [info.toy_sequentiality["supervised"], info.toy_sequentiality["rl"], info.sequentiality]
    statistic.marks += groups(values, names, [GREY, GREY, 0])
    return Chart(
        [*panels, badger, statistic],
        "J is the learned share of a dimension. Toy: Schaul's system, reconstructed, from starts near zero. The colour "
        "of a path is that of the corner that it passes (grey: neither); in regions shaded in the same colour that "
        "dimension is learned while the other one is unlearned. Badger: block means of 1 - loss, a line for each "
        "seed. S is the integral of |J1 - J2| over J1 + J2.",
    )


def _basin(path: Numbers) -> int:
    """The colour of the corner that a path passes, that is, comes nearer to than to the diagonal; else grey."""
    lead = path[:, 0] - path[:, 1]
    return GREY if np.abs(lead).max() <= 0.5 else FIRST if lead[np.abs(lead).argmax()] > 0 else SECOND


def _winner_takes_all(kind: Learning) -> list[Mark]:
    """The regions in which one dimension is unlearned while the other is learned, in the colour of the one learned.

    The regions of an unlearned second dimension are bands at the bottom and at the top, those of an unlearned first
    dimension bands on the left and on the right.
    """
    flow = field(201, kind)
    low, left = flow.j[:, None] < 0.5, flow.j[None, :] < 0.5
    first, second = flow.suppressed == 1, flow.suppressed == 2
    marks: list[Mark] = []
    for region, color in (
        (second & low, FIRST), (second & ~low, FIRST), (first & left, SECOND), (first & ~left, SECOND)
    ):  # fmt: skip
        columns = np.flatnonzero(region.any(axis=0))
        rows = [np.flatnonzero(region[:, column])[[0, -1]] for column in columns]
        if rows:
            bottom, top = flow.j[np.array(rows)].T
            marks.append(Area(flow.j[columns], bottom, top, color))
    return marks


def _of_path(path: Numbers) -> float:
    """S along a path, from its first point to its last one."""
    return float(sequentiality(torch.from_numpy(1 - path[None])).sequentiality[0])
