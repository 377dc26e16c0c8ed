"""The table of graphs: edges, strong connectivity and the Laplacian's spectrum, for each configuration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from badger_sweeps.reporting.reading.collection import Run

COLUMNS = (
    "configuration",
    "experts",
    "edges",
    "strongly connected",
    "consensus rate",
    "algebraic connectivity",
    "eigenratio",
)


def cells(run: Run) -> list[str]:
    """A row of the table, one text for each of `COLUMNS`: the median over seeds and, where they differ, the range."""
    graphs = [run.summary.graphs[outcome.seed] for outcome in run.summary.outcomes]
    return [
        run.label,
        _median_and_range([graph.experts for graph in graphs]),
        _median_and_range([graph.edges for graph in graphs]),
        f"{sum(graph.strongly_connected for graph in graphs)}/{len(graphs)}",
        _median_and_range([graph.consensus_rate for graph in graphs]),
        _median_and_range([graph.algebraic_connectivity for graph in graphs]),
        _median_and_range([graph.eigenratio for graph in graphs]),
    ]


def _median_and_range(values: Sequence[float | int | None]) -> str:
    """``0.61 (0.43 to 1.2)``; a dash if no seed has a value; with the number of seeds that have one if not all do."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, middle, high = (f"{number:.3g}" for number in np.quantile(known, (0, 0.5, 1)))
    text = middle if low == high else f"{middle} ({low} to {high})"
    return text if len(known) == len(values) else f"{text}, {len(known)} of {len(values)} seeds"
