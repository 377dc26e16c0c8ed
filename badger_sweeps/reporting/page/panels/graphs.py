"""The graph of each seed, and the spectrum of its Laplacian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.runs.graphs import Links


class Graph(NamedTuple):
    """One seed's.

    Attributes:
        run: the run's place among the runs.
        label: what it is called.
        seed: the seed.
        experts: how many.
        pairs: sender and receiver of each link.
        spectrum: eigenvalues of L = D_in - A with A_ij = 1 where i receives from j, by their real parts.
    """

    run: int
    label: str
    seed: int
    experts: int
    pairs: Links
    spectrum: NDArray[np.complex128]


def compute(runs: Sequence[Run]) -> list[Graph]:
    """Of every seed of every run; of a run whose seeds share one graph, that one."""
    found = []
    for position, run in enumerate(runs):
        same = len(set(run.links.values())) == 1
        for seed, pairs in list(run.links.items())[: 1 if same else None]:
            experts = run.summary.graphs[seed].experts
            found.append(Graph(position, run.label, seed, experts, pairs, laplacian_spectrum(experts, pairs)))
    return found


def laplacian_spectrum(experts: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.complex128]:
    """Eigenvalues of L = D_in - A, by their real parts; pairs are (sender, receiver)."""
    receives = np.zeros((experts, experts))
    for sender, receiver in pairs:
        receives[receiver, sender] = 1
    laplacian = np.diag(receives.sum(axis=1)) - receives
    symmetric = (receives == receives.T).all()
    values = np.linalg.eigvalsh(laplacian) if symmetric else np.linalg.eigvals(laplacian)
    return np.sort_complex(values.astype(complex))


def pictures(graphs: Sequence[Graph]) -> list[dict[str, object]]:
    """For the page, which draws the one that is chosen."""
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
