"""How well a graph spreads what its experts know: whether it is strongly connected, and its Laplacian's spectrum."""

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
"""What a rate may be off."""
STEPS = 1000
"""In which the simple roots of a polynomial are found; a few dozen are enough for graphs of 16."""


class Connectivity(NamedTuple):
    """Measures of one graph of n experts with links A, A_ij = 1 where i listens to j, and Laplacian L = D_in - A.

    Compare them between graphs with equally many edges only: otherwise bandwidth is compared as well.
    """

    experts: int
    edges: int
    """Directed links; a pair of experts that listen to each other has two."""
    strongly_connected: bool
    """Whether every expert's messages reach every other; true for one expert alone."""
    consensus_rate: float | None
    """mu = min Re lambda over the spectrum of L without one 0: xdot = -Lx agrees like exp(-mu*t). 0 where it need not
    agree, since two groups listen to nobody else. None for one expert."""
    algebraic_connectivity: float | None
    """a(G) = min of x'Lx over unit vectors x orthogonal to 1 (Wu 2005; Olfati-Saber & Murray 2004): below 0 for some
    unbalanced directed graphs, lambda_2 of L for undirected ones. None for one expert."""
    eigenratio: float | None
    """lambda_n / lambda_2 of L for a connected undirected graph, 1 being best; None for all others."""


def connectivity(listens: Bool[Tensor, "expert expert"]) -> Connectivity:
    """The measures of one graph; time grows with the cube of its experts."""
    links = listens.cpu().numpy()
    laplacian = np.diag(links.sum(axis=1)) - links.astype(float)
    groups, group = connected_components(links, connection="strong")
    found = Connectivity(len(links), int(links.sum()), bool(groups == 1), None, None, None)
    if len(links) == 1:
        return found
    found = found._replace(
        consensus_rate=_consensus_rate(laplacian, [np.flatnonzero(group == g) for g in range(groups)]),
        algebraic_connectivity=_algebraic_connectivity(laplacian),
    )
    if groups == 1 and (links == links.T).all():
        spectrum = np.linalg.eigvalsh(laplacian)
        found = found._replace(eigenratio=float(spectrum[-1] / spectrum[1]))
    return found


def _consensus_rate(laplacian: Matrix, groups: list[NDArray[np.intp]]) -> float:
    """From the spectra of the strongly connected groups' diagonal blocks, which together are that of L.

    A group that listens to nobody outside has the eigenvalue 0 once; with two of them 0 is in the spectrum twice.
    """
    blocks = [laplacian[np.ix_(group, group)] for group in groups]
    closed = [not block.sum(axis=1).any() for block in blocks]
    if sum(closed) > 1:
        return 0.0
    return min(_least(block, skip) for block, skip in zip(blocks, closed, strict=True) if len(block) > skip)


def _least(block: Matrix, skip: int) -> float:
    """The smallest real part of a block's eigenvalues, without the `skip` nearest to 0.

    Eigenvalues of a matrix that is not symmetric can be off by much more than rounding: where k of them are one and
    have a single eigenvector, by the k-th root of it. How much is told by the angle between the left and the right
    eigenvector (Golub & Van Loan, Matrix Computations, section 7.2.2). Where that is too much for the smallest ones,
    they are roots of the characteristic polynomial's simple factors, which are exact.
    """
    values, left, right = scipy.linalg.eig(block, left=True, right=True)
    kept = np.argsort(np.abs(values))[skip:]
    real, cosines = values.real[kept], np.abs((left.conj() * right).sum(axis=0))[kept]
    off = ROUNDING * np.linalg.norm(block) / np.maximum(cosines, ROUNDING)
    least = real.argmin()
    if off[real - off <= real[least] + off[least]].max() < GOOD:
        return float(real[least])
    import sympy  # takes half a second, and hardly any graph needs it

    factors = sympy.Matrix(block.astype(int)).charpoly().sqf_list()[1]
    roots = [complex(root) for factor, times in factors for root in factor.nroots(maxsteps=STEPS) * times]
    return min(root.real for root in sorted(roots, key=abs)[skip:])


def _algebraic_connectivity(laplacian: Matrix) -> float:
    """The smallest eigenvalue of Q'(L + L')Q/2, where Q's columns are an orthonormal basis of 1's complement."""
    n = len(laplacian)
    basis = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, 1:]]))[0][:, 1:]
    return float(np.linalg.eigvalsh(basis.T @ (laplacian + laplacian.T) @ basis / 2)[0])
