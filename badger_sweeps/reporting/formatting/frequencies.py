"""The table of the order in which each configuration's seeds solve the frequencies of the frequency task."""

from __future__ import annotations

import math

import numpy as np
import torch

from badger_sweeps.measures.solve_order import page_trend, solve_order
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.reporting.reading.frequencies import solved

COLUMNS = (
    "configuration",
    "solved by seeds",
    "Spearman",
    "Kendall",
    "simultaneity",
    "Page's L (expected)",
    "p low first",
    "p high first",
)


def cells(run: Run) -> list[str] | None:
    """A row of the table, one text for each of `COLUMNS`; None if no frequencies were measured."""
    times = solved(run)
    if times is None:
        return None
    order, trend = solve_order(times), page_trend(times)
    frequencies = times.solved.shape[1]
    counts = ", ".join(f"{int(count)}" for count in order.solved)
    return [
        run.label,
        f"{counts} of {frequencies}",
        *(_median(values) for values in (order.spearman, order.kendall, order.simultaneity)),
        f"{trend.low_first:.0f} ({trend.expected:.0f})" if not math.isnan(trend.low_first) else "-",
        *("-" if math.isnan(p) else f"{p:.3g}" for p in (trend.p_low_first, trend.p_high_first)),
    ]


def _median(values: torch.Tensor) -> str:
    """The median over seeds with a value; with the number of these seeds if not all have one."""
    known = values[~values.isnan()]
    if not len(known):
        return "-"
    text = f"{np.median(known.numpy()):.2f}"
    return text if len(known) == len(values) else f"{text}, {len(known)} of {len(values)} seeds"
