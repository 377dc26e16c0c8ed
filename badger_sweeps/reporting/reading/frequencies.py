"""The iterations at which the seeds of a run solved each frequency of the frequency task."""

from __future__ import annotations

import numpy as np
import torch

from badger_sweeps.evaluation.frequencies import COHERENT
from badger_sweeps.measures.solve_order import SolveIterations, solve_iterations
from badger_sweeps.reporting.reading.collection import Run


def solved(run: Run) -> SolveIterations | None:
    """The iteration at which each seed solved each frequency, from the coherent ratios; None if none were measured."""
    coherent = [column for name, column in run.columns.items() if column.group == COHERENT and name in run.all_measures]
    names = [column.name for column in sorted(coherent, key=lambda column: column.indices)]
    if not names:
        return None
    rows = run.all_measures[names].dropna(how="all").unstack("iteration")
    seeds = [outcome.seed for outcome in run.summary.outcomes]
    curves = np.stack([rows[name].reindex(seeds).to_numpy(dtype=float) for name in names], axis=2)
    iterations = torch.from_numpy(rows[names[0]].columns.to_numpy(dtype=np.int64))
    return solve_iterations(torch.from_numpy(curves), iterations, run.summary.budget)
