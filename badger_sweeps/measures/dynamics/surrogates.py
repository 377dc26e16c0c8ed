"""Surrogates of a series, and what a measure is worth beside theirs."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def phase_randomised(
    series: Float[Tensor, "population time"], draws: int, generator: Generator
) -> Float[Tensor, "draw population time"]:
    """Series with the same mean and power spectrum and random phases (Theiler et al. 1992).

    The null hypothesis is a stationary linear Gaussian process: autocorrelations are kept, everything else is lost,
    including a skewed or discrete distribution. Each Fourier coefficient is turned by its own uniform phase; that of
    frequency zero stays, and with an even number of values that of the Nyquist frequency, which is real, gets a random
    sign. The transform takes a series for periodic: where its ends do not meet (a trend), the surrogates inherit the
    jump, so feed a section without trend.

    All members get the same phases, so that a member's surrogates do not depend on its population. A member with a
    value that is not finite has NaN surrogates: whatever is then measured of them says so.

    Returns:
        float64, on the device of the series.
    """
    values = series.double()
    time = values.shape[1]
    spectrum = torch.fft.rfft(values)
    phases = (
        2
        * math.pi
        * torch.rand(draws, 1, spectrum.shape[1], generator=generator, dtype=torch.float64, device=generator.device)
    )
    phases[..., 0] = 0
    if time % 2 == 0:
        phases[..., -1] = math.pi * (phases[..., -1] > math.pi)
    turned = spectrum * torch.polar(torch.ones_like(phases), phases).to(series.device)
    drawn: Tensor = torch.fft.irfft(turned, n=time)
    return drawn


def amplitude_adjusted(
    series: Float[Tensor, "population time"], draws: int, generator: Generator
) -> Float[Tensor, "draw population time"]:
    """The series' own values, in the order of a phase-randomised Gaussian series of like ranks (Theiler et al. 1992).

    The null hypothesis is a stationary linear Gaussian process seen through any monotone function, so skewed noise is
    part of it. The values are kept exactly, the power spectrum only nearly (it comes out flatter in short series). All
    members get the same phases. A value that is not finite is in every surrogate, which cannot be measured either.

    Returns:
        float64, on the device of the series.
    """
    values = series.double()
    time = values.shape[1]
    ranks = values.argsort(dim=1, stable=True).argsort(dim=1)
    scores = torch.special.ndtri((ranks.double() + 0.5) / time)
    order = phase_randomised(scores, draws, generator).argsort(dim=2).argsort(dim=2)
    return values.sort(dim=1).values.expand(draws, -1, -1).gather(2, order)


def shuffled(
    series: Float[Tensor, "population time"], draws: int, generator: Generator
) -> Float[Tensor, "draw population time"]:
    """The same values in random order: the null hypothesis is independent values of any distribution.

    All members get the same orders, so that a member's surrogates do not depend on its population.

    Returns:
        float64, on the device of the series.
    """
    time = series.shape[1]
    orders = [torch.randperm(time, generator=generator, device=generator.device) for _ in range(draws)]
    return series.double()[:, torch.stack(orders).to(series.device)].movedim(0, 1)


class AgainstSurrogates(NamedTuple):
    """A measured value beside those of surrogates."""

    value: Float[Tensor, " population"]
    """What was measured of the series itself."""
    surrogate_mean: Float[Tensor, " population"]
    """The mean over surrogates."""
    surrogate_sd: Float[Tensor, " population"]
    """The standard deviation over surrogates (n - 1)."""
    p_value: Float[Tensor, " population"]
    """The share of draws, the value itself among them, that are at least as extreme."""


def compare_with_surrogates(
    value: Float[Tensor, " population"],
    surrogates: Float[Tensor, "draw population"],
    alternative: Literal["greater", "less", "two-sided"] = "two-sided",
) -> AgainstSurrogates:
    """Set a value beside the same measure of surrogates.

    p = (1 + count)/(n + 1) over n surrogates (Phipson & Smyth 2010), where count is the number of them that are at
    least as large ("greater") or at least as small ("less"); "two-sided" is twice the smaller of both, at most 1. So p
    is never below 1/(n + 1), two-sided 2/(n + 1): 39 draws are the fewest that reach a two-sided 0.05. Ties count
    against the value.

    Surrogates that are not finite are left out and n falls accordingly. NaN where the value is not finite or no
    surrogate is; the standard deviation needs two.
    """
    value, surrogates = value.double(), surrogates.double()
    finite = surrogates.isfinite()
    n = finite.sum(dim=0).double()
    # Of no values this is 0/0, NaN, as it should be.
    mean = surrogates.where(finite, 0).sum(dim=0) / n
    variance = (surrogates - mean).square().where(finite, 0).sum(dim=0) / (n - 1)
    variance = variance.where(n > 1, math.nan)
    greater = (1 + (finite & (surrogates >= value)).sum(dim=0)) / (n + 1)
    less = (1 + (finite & (surrogates <= value)).sum(dim=0)) / (n + 1)
    p = {"greater": greater, "less": less, "two-sided": (2 * torch.minimum(greater, less)).clamp(max=1)}[alternative]
    known = value.isfinite() & (n > 0)
    nan = torch.full_like(value, math.nan)
    columns = (value, mean, variance.sqrt(), p)
    return AgainstSurrogates(*(column.where(known, nan) for column in columns))
