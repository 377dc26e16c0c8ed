"""The dynamic mode decomposition of one member: eigenvalues, shares of energy, R^2 on held-out games."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from pydmd import DMD

LEAST_GAMES, LEAST_STEPS, LEAST_VARIABLES = 4, 7, 2
"""The least numbers for a decomposition; steps count the initial state."""
RULE = f"needs {LEAST_GAMES} games, {LEAST_STEPS} steps, {LEAST_VARIABLES} variables and finite states that vary"
MODULUS = (0.9, 1.05)
"""Bounds of a sustained mode's modulus: after 20 steps it has 0.12 to 2.7 times its amplitude."""
SHARE = 0.05
"""The share of the states' energy that an oscillating mode exceeds."""


def check_rank(svd_rank: int) -> None:
    """Refuse full rank.

    Raises:
        ValueError: `svd_rank` is negative.
    """
    if svd_rank < 0:
        raise ValueError(f"svd_rank must be 0 (hard threshold) or a rank, as full rank is spurious; found {svd_rank}")


def can_be_decomposed(states: Float[Tensor, "population game step variable"]) -> Bool[Tensor, " population"]:
    """Whether each member has enough games, steps and variables, and states that are finite and vary."""
    games, steps, variables = states.shape[1:]
    if games < LEAST_GAMES or steps < LEAST_STEPS or variables < LEAST_VARIABLES:
        return torch.zeros(states.shape[0], dtype=torch.bool, device=states.device)
    varies = (states[:, :, :-1] != states[:, :1, :1]).flatten(start_dim=1).any(dim=1)
    return states.isfinite().flatten(start_dim=1).all(dim=1) & varies


class ModeSpectrum:
    """Eigenvalues and shares of energy of one member, by falling share.

    Args:
        states: shape (game, step, variable).
        svd_rank: as in `modes.modes`.
    """

    def __init__(self, states: NDArray[np.float64], svd_rank: int) -> None:
        x, y = _pairs(states)
        fit = _fit(x, y, svd_rank)
        eigenvalues, share = fit.eigs.astype(complex), _shares(fit, x)
        # Shares are rounded, so that the two eigenvalues of a conjugate pair stay together.
        order = np.lexsort((-eigenvalues.imag, eigenvalues.real, -share.round(9)))
        self.eigenvalues, self.share = eigenvalues[order], share[order]
        self.resolution = 2 * math.pi / (states.shape[1] - 1)

    def oscillates(self, least_share: float = SHARE) -> NDArray[np.bool_]:
        """Whether each eigenvalue is an oscillating mode; of a conjugate pair only the upper one is."""
        modulus, argument = np.abs(self.eigenvalues), np.abs(np.angle(self.eigenvalues))
        sustained = (modulus >= MODULUS[0]) & (modulus <= MODULUS[1])
        once = self.eigenvalues.imag >= 0
        chosen: NDArray[np.bool_] = once & sustained & (argument > self.resolution) & (self.share > least_share)
        return chosen


def held_out_r2(states: NDArray[np.float64], svd_rank: int) -> tuple[float, float]:
    """R^2 of the prediction of one step, fitted on the first half of the games and tested on the second; and R^2 of
    persistence. Both are NaN where the states of either half do not allow them."""
    half = len(states) // 2
    x, y = _pairs(states[half:])
    total = np.square(y - y.mean(axis=1, keepdims=True)).sum()
    if not (total > 0 and states[:half, :-1].any()):
        return math.nan, math.nan
    predicted = _fit(*_pairs(states[:half]), svd_rank).predict(x).real
    return float(1 - np.square(y - predicted).sum() / total), float(1 - np.square(y - x).sum() / total)


def _pairs(states: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """X = [h_0 .. h_{T-1}] and Y = [h_1 .. h_T], a column for each game and step."""
    variables = states.shape[2]
    return states[:, :-1].reshape(-1, variables).T, states[:, 1:].reshape(-1, variables).T


def _fit(x: NDArray[np.float64], y: NDArray[np.float64], svd_rank: int) -> DMD:
    from pydmd import DMD  # takes seconds to import

    with warnings.catch_warnings():
        # Both are intended: small singular values are cut off, and at least one is kept.
        warnings.filterwarnings("ignore", message="Input data condition number")
        warnings.filterwarnings("ignore", message="SVD optimal rank is 0")
        fit = DMD(svd_rank=svd_rank).fit(x, y)
        # Without noise the threshold may lie among rounding errors.
        rank = int(np.linalg.matrix_rank(x))
        return fit if len(fit.eigs) <= rank else DMD(svd_rank=rank).fit(x, y)


def _shares(fit: DMD, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The energy of each mode over that of the columns of `x` about their mean; each of a conjugate pair has the
    share of the pair."""
    phi: NDArray[np.complex128] = fit.modes
    amplitudes = np.linalg.pinv(phi) @ x
    energy = np.square(np.abs(phi)).sum(axis=0) * np.square(np.abs(amplitudes)).sum(axis=1)
    # |2 Re(phi b)|^2 = 2 |phi|^2 |b|^2 + 2 Re(phi.phi b^2), where phi.phi does not conjugate.
    pair = 2 * energy + 2 * (np.square(phi).sum(axis=0) * np.square(amplitudes).sum(axis=1)).real
    shares: NDArray[np.float64] = (
        np.where(np.imag(fit.eigs) != 0, pair, energy) / np.square(x - x.mean(axis=1, keepdims=True)).sum()
    )
    return shares
