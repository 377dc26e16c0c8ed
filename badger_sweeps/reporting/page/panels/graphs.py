"""The panels of each seed's graph and of its Laplacian's spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.runs.graphs import Links, adjacency
from badger_sweeps.topologies.connectivity import laplacian_spectrum


class Graph(NamedTuple):
    """The graph of one seed.

    Attributes:
        run: the run's position among the runs.
        label: the run's label.
        seed: the seed.
        experts: the number of experts.
        pairs: sender and receiver of each edge.
        spectrum: eigenvalues of L = D_in - A, with A_ij = 1 if i receives from j, sorted by their real parts.
    """

    run: int
    label: str
    seed: int
    experts: int
    pairs: Links
    spectrum: NDArray[np.complex128]


def compute(runs: Sequence[Run]) -> list[Graph]:
    """The graphs of all seeds of all runs; only the first for a run whose seeds share one graph."""
    graphs = []
    for position, run in enumerate(runs):
        same = len(set(run.links.values())) == 1
        for seed, pairs in list(run.links.items())[: 1 if same else None]:
            experts = run.summary.graphs[seed].experts
            graphs.append(
                Graph(position, run.label, seed, experts, pairs, laplacian_spectrum(adjacency(experts, pairs)))
            )
    return graphs


def pictures(graphs: Sequence[Graph]) -> list[dict[str, object]]:
    """The graphs as JSON for the page's script, which draws the selected one."""
    return [
        {
            "run": graph.run,
            "label": graph.label,
            "seed": graph.seed,
            "experts": graph.experts,
            "pairs": graph.pairs,
            "real": [round(float(value.real), 6) for value in graph.spectrum],
            "imaginary": [round(float(value.imag), 6) for value in graph.spectrum],
        }
        for graph in graphs
    ]
