"""Linear systems whose eigenvalues and energies are known, for tests."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def linear_states(
    eigenvalues: list[complex],
    games: int = 24,
    steps: int = 20,
    variables: int = 30,
    noise: float = 0.001,
    seed: int = 0,
    scales: list[float] | None = None,
) -> Tensor:
    """h_0 .. h_T of one member, seen through orthonormal directions: shape (1, game, T + 1, variable).

    Each complex eigenvalue stands for a conjugate pair and turns a plane; each real one has a line. Games start at
    random; `scales` multiplies each mode. The noise is observed only.
    """
    rng = np.random.default_rng(seed)
    parts = [
        scale * mode(eigenvalue, games, steps, rng)
        for eigenvalue, scale in zip(eigenvalues, scales or [1.0] * len(eigenvalues), strict=True)
    ]
    latent = np.concatenate(parts, axis=2)
    directions = np.linalg.qr(rng.normal(size=(variables, latent.shape[2])))[0]
    return torch.from_numpy(latent @ directions.T + noise * rng.normal(size=(games, steps + 1, variables)))[None]


def mode(eigenvalue: complex, games: int, steps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Its states in its own plane or line, shape (game, T + 1, 2 or 1)."""
    start = rng.normal(size=games) + 1j * rng.normal(size=games)
    if np.imag(eigenvalue) == 0:
        start = start.real
    states = start[:, None] * np.asarray(eigenvalue) ** np.arange(steps + 1)
    return np.stack([states.real, states.imag][: 1 + (np.imag(eigenvalue) != 0)], axis=2)
