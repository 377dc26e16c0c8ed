"""In which order each configuration's seeds solve the frequencies of the frequency task, as a table."""

from __future__ import annotations

import math
import re

import numpy as np
import torch

from badger_sweeps.measures.solve_order import SolveIterations, page_trend, solve_iterations, solve_order
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.reporting.reading.measures import all_measured

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


def solved(run: Run) -> SolveIterations | None:
    """When each seed solved each frequency, from the coherent ratios measured on it; None where there are none."""
    known = all_measured(run.history, run.measures)
    names = sorted(name for name in map(str, known) if re.fullmatch(r"frequency/coherent/\d+", name))
    if not names:
        return None
    rows = known[names].dropna(how="all").unstack("iteration")
    seeds = [outcome.seed for outcome in run.summary.outcomes]
    curves = np.stack([rows[name].reindex(seeds).to_numpy(dtype=float) for name in names], axis=2)
    iterations = torch.from_numpy(rows[names[0]].columns.to_numpy(dtype=np.int64))
    return solve_iterations(torch.from_numpy(curves), iterations, run.summary.budget)


def cells(run: Run) -> list[str] | None:
    """A row of the table, one text for each of `COLUMNS`; None where no frequencies were measured."""
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
    """Over the seeds that have one, and how many do where not all."""
    known = values[~values.isnan()]
    if not len(known):
        return "-"
    text = f"{np.median(known.numpy()):.2f}"
    return text if len(known) == len(values) else f"{text}, {len(known)} of {len(values)} seeds"
