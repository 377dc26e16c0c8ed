"""The order in which the seeds of an arm solve the frequencies, and whether it follows the F-principle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from badger_sweeps.measures.solve_order import PageTrend, page_trend, solve_order
from badger_sweeps.reporting.inference.evidence import Finding, above, ordered, rank_correlation, within
from badger_sweeps.reporting.plotting.chart import Dots, Level, Line, Panel
from badger_sweeps.reporting.reading.arms import Arm, Curve, MissingError, Numbers
from badger_sweeps.reporting.reading.frequencies import solved

from . import losses

NO_ORDER = 0.5
"""Rank correlations of at most this absolute value count as no order."""


class Order(NamedTuple):
    """The order in which the seeds of one arm solve the frequencies.

    Attributes:
        arm: the arm.
        coherent: coherent ratio over training, by frequency.
        times: iterations until each frequency was solved, seed by frequency; the budget where it was not.
        spearman: rank correlation of frequency and time of each seed: 1 low first, -1 high first; 0 for a seed that
            solved all at once, NaN for one that solved none.
        simultaneity: spread of the times over their median of each seed, 0: all at once; NaN where half were not
            solved.
        solved: how many frequencies each seed solved.
        page: Page's trend test for one order shared by all seeds.
    """

    arm: Arm
    coherent: list[Curve]
    times: Numbers
    spearman: Numbers
    simultaneity: Numbers
    solved: Numbers
    page: PageTrend

    @property
    def frequencies(self) -> int:
        """The number of frequencies."""
        return len(self.coherent)


def compute(arm: Arm) -> Order:
    """The order in which the seeds of an arm solved the frequencies."""
    times = solved(arm.run)
    if times is None:
        raise MissingError(f"no frequencies were measured in {arm.name}")
    order = solve_order(times)
    at_once = times.solved.all(dim=1) & (times.iterations.amax(dim=1) == times.iterations.amin(dim=1))
    count = times.solved.shape[1]
    return Order(
        arm=arm,
        coherent=[arm.curve(f"frequency/coherent/{k:02d}") for k in range(1, count + 1)],
        times=_numbers(times.iterations),
        spearman=_numbers(torch.where(at_once, 0.0, order.spearman)),
        simultaneity=_numbers(order.simultaneity),
        solved=_numbers(order.solved),
        page=page_trend(times),
    )


def low_first(order: Order, where: str = "") -> list[Finding]:
    """The finding that low frequencies are solved first, by rank correlations; secondary, the same by Page's test."""
    page, where = order.page, where or losses.label(order.arm.name)
    shared = ordered(
        f"all seeds share the order from low to high ({where} phases)", page.low_first - page.expected,
        min(1.0, 2 * min(page.p_low_first, page.p_high_first)), page.members,
        f"Page's L minus its expectation {page.expected:.0f}", "Page's L, two-sided", sign=1,
    )  # fmt: skip
    lower = above(f"low frequencies are solved first ({where} phases)", order.spearman, NO_ORDER, _unit(order))
    return [lower, shared.secondary()]


def not_low_first(order: Order, where: str = "") -> Finding:
    """The finding that frequencies are not solved from low to high, by the seeds' rank correlations."""
    where = where or losses.label(order.arm.name)
    return within(
        f"frequencies are not solved from low to high ({where} phases)", order.spearman, -1.0, NO_ORDER, _unit(order)
    )


def error_order(order: Order) -> Numbers:
    """Spearman's rank correlation of frequency and final error, 1 - coherent ratio, of each seed; NaN if diverged."""
    errors = np.stack([1 - curve.y[:, -1] for curve in order.coherent], axis=1)
    return np.array([rank_correlation(np.arange(order.frequencies), of_seed) for of_seed in errors])


def panels(orders: Sequence[Order]) -> list[Panel]:
    """The panels of the coherent ratios over training (medians over seeds), one for each arm, and of the times."""
    made = []
    for order in orders:
        name = losses.label(order.arm.name)
        panel = Panel(f"Frequencies, {name}", "iteration", "coherent ratio (1: solved)", [Level(1.0), Level(0.0)])
        for place, curve in enumerate(order.coherent):
            panel.marks.append(Line(curve.x, np.nanmedian(curve.y, axis=0), place, f"k = {place + 1}", width=1.6))
        made.append(panel)
    return [*made, when(orders)]


def one_seed(order: Order, row: int) -> Panel:
    """The panel of the coherent ratios over training in one seed."""
    title = f"{losses.label(order.arm.name)}, seed {order.arm.seeds[row]}"
    panel = Panel(title, "iteration", "coherent ratio (1: solved)", [Level(1.0), Level(0.0)])
    for place, curve in enumerate(order.coherent):
        panel.marks.append(Line(curve.x, curve.y[row], place, f"k = {place + 1}", width=1.6))
    return panel


def when(orders: Sequence[Order]) -> Panel:
    """The panel of the times at which the frequencies were solved."""
    panel = Panel("When each was solved", "frequency k", "iteration (at most the budget)")
    for place, order in enumerate(orders):
        k = np.arange(1, order.frequencies + 1)
        for row in order.times:
            panel.marks.append(Dots(k + 0.12 * place, row, place, size=4.0, opacity=0.4))
        label = f"median of {losses.label(order.arm.name)}"
        panel.marks.append(Line(k + 0.12 * place, np.median(order.times, axis=0), place, label))
    return panel


def _unit(order: Order) -> str:
    solved_ = ", ".join(f"{count:.0f}" for count in order.solved)
    return f"Spearman's rank correlation of frequency and time (solved of {order.frequencies} by seeds: {solved_})"


def _numbers(values: torch.Tensor) -> Numbers:
    return np.asarray(values.double().numpy())
