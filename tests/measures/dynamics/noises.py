"""Noises whose memory is known, for tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def fractional_gaussian(exponent: float, members: int, time: int, seed: int) -> Tensor:
    """Fractional Gaussian noise of variance 1, exactly distributed, by circulant embedding (Davies & Harte 1987)."""
    rng = np.random.default_rng(seed)
    first_half = autocovariance(exponent, np.arange(time + 1))
    eigenvalues = np.fft.fft(np.concatenate([first_half, first_half[-2:0:-1]])).real
    size = 2 * time
    # The real and the imaginary part are two independent noises; one is enough.
    white = rng.normal(size=(members, size)) + 1j * rng.normal(size=(members, size))
    noise = np.fft.fft(np.sqrt(eigenvalues.clip(0) / size) * white, axis=1).real[:, :time]
    return torch.from_numpy(noise)


def autocovariance(exponent: float, lag: np.ndarray) -> np.ndarray:
    """Of fractional Gaussian noise of variance 1."""
    power = 2 * exponent
    return np.asarray((np.abs(lag + 1.0) ** power - 2 * np.abs(lag * 1.0) ** power + np.abs(lag - 1.0) ** power) / 2)


def white(members: int, time: int, seed: int) -> Tensor:
    """Independent standard normal values."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(members, time)))


def walk(members: int, time: int, seed: int) -> Tensor:
    """Sums of independent standard normal steps."""
    return white(members, time, seed).cumsum(dim=1)


def logistic(members: int, time: int, seed: int) -> Tensor:
    """x' = 4 x (1 - x), whose exponent is ln 2, after a hundred iterations from random places."""
    x = np.random.default_rng(seed).uniform(0.05, 0.95, size=members)
    series = []
    for _ in range(100 + time):
        x = 4 * x * (1 - x)
        series.append(x)
    return torch.from_numpy(np.stack(series[100:], axis=1))
