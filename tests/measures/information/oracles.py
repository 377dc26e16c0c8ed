"""Data whose information is known, and what is known of it, from definitions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning

BITS = 1 / math.log(2)
"""In a nat."""
EXACT = 10**12
"""Games with which a covariance counts as the truth: the correction for bias is below 1e-8 bits."""


class Truth(NamedTuple):
    binding: float
    total_correlation: float

    @property
    def o_information(self) -> float:
        return self.total_correlation - self.binding


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def random_covariance(variables: int, seed: int) -> Tensor:
    """With ones on its diagonal."""
    factor = normal(variables, variables + 2, seed=seed)
    covariance = factor @ factor.T
    scale = covariance.diagonal().rsqrt()
    return covariance * scale[:, None] * scale


def equicorrelation(variables: int, rho: float) -> Tensor:
    return torch.full((variables, variables), rho, dtype=torch.float64) + (1 - rho) * torch.eye(variables).double()


def gaussian(covariance: Tensor, population: int, games: int, experts: int, seed: int = 0) -> Tensor:
    """Games of experts whose components, expert by expert, have the covariance."""
    draws = normal(population, games, len(covariance), seed=seed) @ torch.linalg.cholesky(covariance).T
    return draws.view(population, games, experts, -1)


def equicorrelated(rho: float, population: int, games: int, experts: int, dims: int, seed: int = 0) -> Tensor:
    """Experts that are pairwise correlated, in each of several independent dimensions."""
    draws = gaussian(equicorrelation(experts, rho), population * dims, games, experts, seed)
    return draws.view(population, dims, games, experts).permute(0, 2, 3, 1).contiguous()


def correlated_pair(rho: float, population: int, games: int, dims: int, dependent: int, seed: int = 0) -> Tensor:
    """Two experts that are correlated in their first dimensions and independent in the rest."""
    states = normal(population, games, 2, dims, seed=seed)
    states[:, :, 1, :dependent] *= math.sqrt(1 - rho**2)
    states[:, :, 1, :dependent] += rho * states[:, :, 0, :dependent]
    return states


def bits_of_correlation(rho: float) -> float:
    return -math.log2(1 - rho**2) / 2


def truth_of_equicorrelated(experts: int, rho: float) -> Truth:
    """In bits, by the formulas for scalars."""
    n = experts
    total = -((n - 1) * math.log(1 - rho) + math.log(1 + (n - 1) * rho)) / 2
    shared = (-math.log(1 - rho) - (n - 1) * math.log(1 + (n - 1) * rho) + n * math.log(1 + (n - 2) * rho)) / 2
    return Truth(shared * BITS, total * BITS)


def gaussian_entropy(covariance: Tensor, variables: list[int]) -> float:
    """In bits, by scipy."""
    if not variables:
        return 0.0
    chosen = covariance.numpy()[np.ix_(variables, variables)]
    return float(multivariate_normal(cov=chosen).entropy()) * BITS


def exactly(covariance: Tensor, experts: int, components: int = 1) -> Copula:
    return Copula(covariance[None], EXACT, experts, components)


@contextmanager
def one_warning() -> Iterator[None]:
    """Exactly one, and of what could not be measured."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    assert [item.category for item in found] == [UnmeasurableWarning], [str(item.message) for item in found]


@contextmanager
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def assert_mean(values: Tensor, truth: float, bias: float = 0.0) -> None:
    """The mean of independent estimates (first axis) lies within four of its standard errors, and a known bias."""
    draws = values.double()
    error = 4 * draws.std().item() / math.sqrt(len(draws)) + bias
    assert abs(draws.mean().item() - truth) < error, (draws.mean().item(), truth, error)


def assert_spread(values: Tensor, truth: float, share: float = 0.0) -> None:
    """So does their standard deviation, whose standard error is a share 1/sqrt(2n) of it."""
    error = truth * (4 / math.sqrt(2 * len(values)) + share)
    assert abs(values.std().item() - truth) < error, (values.std().item(), truth, error)
