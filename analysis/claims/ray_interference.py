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
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train
STARTS = (0.02, 0.03, 0.05, 0.08, 0.12)
"""J of the toy's starts near zero, where learning begins; all pairs of different ones."""
ONE_BY_ONE = 0.5
"""Half of the way from all at once to one by one."""
LONG_BLOCK = 25
"""Iterations over which J is averaged before drops are looked for; a dimension takes hundreds to learn."""
VARIANCE_AT_CHANCE = 0.8
"""Of the normalised error 3 t^2 of one number of one game, t ~ U[-1, 1]."""
NOISE_DROPS = 6
"""Standard deviations of J: a drop below that is none (`measures.landscape.sequentiality`)."""
FIRST, SECOND = 0, 1
"""Colours of the toy's dimensions."""
LEARNED = 1.8
"""J1 + J2 that a seed must have reached, so that S may be compared."""


class RayInterference(NamedTuple):
    """What the figure shows.

    Attributes:
        arm: Badger with two numbers.
        toy: paths (J1, J2) of Schaul's system, by kind of learning.
        toy_sequentiality: S of these paths, by kind of learning, in the order of starts.
        paths: J1 and J2 of every seed in block means.
        sequentiality: S of every seed.
        reached: the largest J1 + J2 of every seed (2: all is learned).
        suppression: the loser's largest drop, in means of `LONG_BLOCK` iterations.
        noise: standard deviation of J in such a mean, at chance, where it is largest.
    """

    arm: Arm
    toy: dict[Learning, list[Numbers]]
    toy_sequentiality: dict[Learning, Numbers]
    paths: Curve
    sequentiality: Numbers
    reached: Numbers
    suppression: Numbers
    noise: float


def compute(arms: Arms) -> RayInterference:
    """The toy's paths, Badger's, and how sequential both are."""
    arm = arms["badger"]
    starts = [(first, second) for first in STARTS for second in STARTS if first != second]
    kinds: tuple[Learning, ...] = ("supervised", "rl")
    toy: dict[Learning, list[Numbers]] = {
        kind: [np.asarray(trajectory(start, kind, points=200).j) for start in starts] for kind in kinds
    }
    dims = [arm.blocks(f"loss_dim/{dim}") for dim in range(2)]
    solved = 1 - np.stack([own.y for own in dims], axis=2)
    found = sequentiality(torch.from_numpy(1 - solved))
    every = np.stack([arm.every_iteration(f"loss_dim/{dim}") for dim in range(2)], axis=2)
    drops = sequentiality(torch.from_numpy(every), block=LONG_BLOCK).suppression
    return RayInterference(
        arm=arm,
        toy=toy,
        toy_sequentiality={kind: np.array([_of_path(path) for path in paths]) for kind, paths in toy.items()},
        paths=Curve(dims[0].x, solved),
        sequentiality=np.asarray(found.sequentiality.numpy()),
        reached=np.asarray(found.reached.numpy()),
        suppression=np.asarray(drops.numpy()),
        noise=math.sqrt(VARIANCE_AT_CHANCE / (LONG_BLOCK * int(arm.run.config["training.batch_size"]))),
    )


def findings(info: RayInterference) -> list[Finding]:
    """The claim's parts, of Badger: what the toy does follows from its equations, and is no sample."""
    supervised, rl = (float(info.toy_sequentiality[kind].mean()) for kind in ("supervised", "rl"))
    learned = np.where(info.reached >= LEARNED, info.sequentiality, np.nan)
    unit = (
        f"S of seeds that learned both (0: at once, 1: one by one; the toy: supervised {supervised:.2f}, RL {rl:.2f})"
    )
    falls_back = above(
        "the dimension that is behind falls back meanwhile, by more than noise", info.suppression,
        NOISE_DROPS * info.noise, f"drop of J in means of {LONG_BLOCK} iterations",
    )  # fmt: skip
    return [
        above("Badger is more sequential than supervised learning", learned, supervised, unit),
        above("Badger learns one dimension after the other", learned, ONE_BY_ONE, unit),
        replace(falls_back, p_against=1.0).secondary(),  # a drop within noise does not speak against it
    ]  # fmt: skip


def draw(info: RayInterference) -> Chart:
    """The toy's paths as in the document, Badger's, and the statistic."""
    panels = []
    titles: dict[Learning, str] = {"supervised": "Supervised learning (toy)", "rl": "Reinforcement learning (toy)"}
    for kind, title in titles.items():
        panel = Panel(title, "J1", "J2", _winner_takes_all(kind), y_range=(-0.05, 1.05), square=True)
        panel.marks += [Line(path[:, 0], path[:, 1], _basin(path), width=1.0) for path in info.toy[kind]]
        panels.append(panel)
    own = Panel("Micro-Badger, two numbers", "J1", "J2", [Level(1.0)], y_range=(-0.15, 1.05), square=True)
    own.marks += [Line(path[:, 0], path[:, 1], seed, width=1.2) for seed, path in enumerate(info.paths.y)]
    names = ["supervised", "RL", "Badger"]
    statistic = Panel("Sequentiality", "", "S (1: one by one)", [Level(0.0), Level(1.0)], ticks=names)
    values = [info.toy_sequentiality["supervised"], info.toy_sequentiality["rl"], info.sequentiality]
    statistic.marks += groups(values, names, [GREY, GREY, 0])
    return Chart(
        [*panels, own, statistic],
        "J is the share of a dimension that is learned. Toy: Schaul's system, reconstructed, from starts near zero; a "
        "path's colour is the corner that it passes (grey: neither), shaded in the same colour is where that dimension "
        "is learned while the other is unlearned. Badger: block means of 1 - loss, a line for each seed. S is the "
        "integral of |J1 - J2| over J1 + J2.",
    )


def _basin(path: Numbers) -> int:
    """The colour of the corner that a path passes: it is nearer to it than to the diagonal."""
    lead = path[:, 0] - path[:, 1]
    return GREY if np.abs(lead).max() <= 0.5 else FIRST if lead[np.abs(lead).argmax()] > 0 else SECOND


def _winner_takes_all(kind: Learning) -> list[Mark]:
    """Where one dimension is unlearned while the other is learned: bands over J1, coloured by the one that is learned.

    The second dimension is unlearned in a band at the bottom and one at the top, the first in one on either side.
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
    """S along a path: what lies before its first point and beyond its last is not counted."""
    return float(sequentiality(torch.from_numpy(1 - path[None])).sequentiality[0])
