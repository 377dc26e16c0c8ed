"""Connectivity of a graph: whether it is strongly connected, and measures of the spectrum of its Laplacian."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Bool
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import Tensor

Matrix = NDArray[np.float64]
ROUNDING = 10 * float(np.finfo(np.float64).eps)
GOOD = 1e-9
"""The largest accepted error of a consensus rate."""
STEPS = 1000
"""Most steps of the search for the roots of a polynomial; graphs of 16 experts take a few dozen."""


class Connectivity(NamedTuple):
    """Measures of one graph of n experts: A_ij = 1 if i receives messages from j, and the Laplacian is L = D_in - A.

    Compare them only between graphs with equally many edges: otherwise bandwidth differs as well.
    """

    experts: int
    edges: int
    """The number of directed edges; a pair of experts that exchange messages has two."""
    strongly_connected: bool
    """Whether a path leads from every expert to every other; true for one expert."""
    consensus_rate: float | None
    """mu = min Re lambda over the spectrum of L without one 0: xdot = -Lx reaches consensus like exp(-mu*t). 0 if two
    groups receive no messages from outside, and need not agree. None for one expert."""
    algebraic_connectivity: float | None
    """a(G) = min of x'Lx over unit vectors x orthogonal to 1 (Wu 2005; Olfati-Saber & Murray 2004): below 0 for some
    unbalanced directed graphs, lambda_2 of L for undirected ones. None for one expert."""
    eigenratio: float | None
    """lambda_n / lambda_2 of L for a connected undirected graph, 1 being best; None for all others."""


def connectivity(graph: Bool[Tensor, "expert expert"]) -> Connectivity:
    """The measures of one graph; the time grows with the cube of the number of experts."""
    edges = graph.cpu().numpy()
    laplacian, blocks = _laplacian(edges), _diagonal_blocks(edges)
    found = Connectivity(len(edges), int(edges.sum()), bool(len(blocks) == 1), None, None, None)
    if len(edges) == 1:
        return found
    found = found._replace(
        consensus_rate=_consensus_rate(blocks),
        algebraic_connectivity=_algebraic_connectivity(laplacian),
    )
    if len(blocks) == 1 and (edges == edges.T).all():
        spectrum = np.linalg.eigvalsh(laplacian)
        found = found._replace(eigenratio=float(spectrum[-1] / spectrum[1]))
    return found


def laplacian_spectrum(graph: Bool[Tensor, "expert expert"]) -> NDArray[np.complex128]:
    """The eigenvalues of L = D_in - A, sorted by their real parts.

    They are those from which `connectivity` takes the consensus rate: exact where double precision is not enough.
    """
    edges = graph.cpu().numpy()
    if (edges == edges.T).all():
        return np.linalg.eigvalsh(_laplacian(edges)).astype(complex)
    return np.sort_complex(np.concatenate([_eigenvalues(block) for block in _diagonal_blocks(edges)]))


def _laplacian(edges: NDArray[np.bool_]) -> Matrix:
    return np.asarray(np.diag(edges.sum(axis=1)) - edges.astype(float))


def _diagonal_blocks(edges: NDArray[np.bool_]) -> list[Matrix]:
    """The diagonal blocks of L that belong to the strongly connected groups. Their spectra are together that of L."""
    laplacian = _laplacian(edges)
    groups, group = connected_components(edges, connection="strong")
    members = [np.flatnonzero(group == g) for g in range(groups)]
    return [laplacian[np.ix_(group, group)] for group in members]


def _closed(block: Matrix) -> bool:
    """Whether a group receives no messages from outside: its block then has the eigenvalue 0 once."""
    return not block.sum(axis=1).any()


def _consensus_rate(blocks: list[Matrix]) -> float:
    """The consensus rate. With two groups that receive no messages from outside L has the eigenvalue 0 twice."""
    if sum(map(_closed, blocks)) > 1:
        return 0.0
    without_zero = [_eigenvalues(block)[_closed(block) :] for block in blocks]
    return min(float(values.real.min()) for values in without_zero if len(values))


def _eigenvalues(block: Matrix) -> NDArray[np.complex128]:
    """A block's eigenvalues, sorted by their distance from 0.

    The error of an eigenvalue of a matrix that is not symmetric can be much larger than rounding: of the order of its
    k-th root if k eigenvalues coincide and have a single eigenvector. The angle between the left and the right
    eigenvector bounds it (Golub & Van Loan, Matrix Computations, section 7.2.2). If it is too large for the smallest
    real parts, apart from the 0 of a closed group, all are computed as roots of the exact square-free factors of the
    characteristic polynomial.
    """
    if len(block) == 1:
        return block.ravel().astype(complex)
    values, left, right = scipy.linalg.eig(block, left=True, right=True)
    order = np.argsort(np.abs(values))
    kept = order[_closed(block) :]
    real, cosines = values.real[kept], np.abs((left.conj() * right).sum(axis=0))[kept]
    off = ROUNDING * np.linalg.norm(block) / np.maximum(cosines, ROUNDING)
    least = real.argmin()
    if off[real - off <= real[least] + off[least]].max() < GOOD:
        return np.asarray(values[order])
    import sympy  # takes half a second, and few graphs need it

    factors = sympy.Matrix(block.astype(int)).charpoly().sqf_list()[1]
    roots = [complex(root) for factor, times in factors for root in factor.nroots(maxsteps=STEPS) * times]
    return np.array(sorted(roots, key=abs))


def _algebraic_connectivity(laplacian: Matrix) -> float:
    """The smallest eigenvalue of Q'(L + L')Q/2, where Q's columns are an orthonormal basis of 1's complement."""
    n = len(laplacian)
    basis = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, 1:]]))[0][:, 1:]
    return float(np.linalg.eigvalsh(basis.T @ (laplacian + laplacian.T) @ basis / 2)[0])
