"""Surrogates of a series, and the comparison of a measured value with those of surrogates."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def phase_randomised(
    series: Float[Tensor, "population time"], draws: int, generator: Generator
) -> Float[Tensor, "draw population time"]:
    """Phase-randomised surrogates: series with the same mean and power spectrum and random phases.

    The null hypothesis is a stationary linear Gaussian process: autocorrelations are kept, everything else is lost,
    including a skewed or discrete distribution. Each Fourier coefficient gets an independent uniform phase; that of
    frequency zero stays, and with an even number of values that of the Nyquist frequency, which is real, gets a random
    sign. The transform treats a series as periodic: where its ends differ (a trend), the surrogates contain the jump,
    so use a section without trend.

    All members get the same phases, so that a member's surrogates do not depend on its population. A member with a
    value that is not finite has NaN surrogates.

    Returns:
        float64, on the device of the series.

    Source: Theiler et al. 1992.
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
    """Amplitude-adjusted surrogates: the values of the series in the order of a phase-randomised Gaussian series.

    The null hypothesis is a monotone function of a stationary linear Gaussian process, which includes skewed noise. The
    Gaussian series has the ranks of the original one. The values are kept exactly, the power spectrum approximately (it
    is flatter in short series). All members get the same phases. Every surrogate contains the values that are not
    finite.

    Returns:
        float64, on the device of the series.

    Source: Theiler et al. 1992.
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
    """Shuffled surrogates: the same values in random order. The null hypothesis is independent values.

    All members get the same orders, so that a member's surrogates do not depend on its population.

    Returns:
        float64, on the device of the series.
    """
    time = series.shape[1]
    orders = [torch.randperm(time, generator=generator, device=generator.device) for _ in range(draws)]
    return series.double()[:, torch.stack(orders).to(series.device)].movedim(0, 1)


class AgainstSurrogates(NamedTuple):
    """A measured value beside those of surrogates, in the unit of the measure."""

    value: Float[Tensor, " population"]
    """The measure of the series itself."""
    surrogate_mean: Float[Tensor, " population"]
    """The mean over surrogates."""
    surrogate_sd: Float[Tensor, " population"]
    """The standard deviation over surrogates (n - 1)."""
    p_value: Float[Tensor, " population"]
    """The share of values, the measured one included, that are at least as extreme as the measured one."""


def compare_with_surrogates(
    value: Float[Tensor, " population"],
    surrogates: Float[Tensor, "draw population"],
    alternative: Literal["greater", "less", "two-sided"] = "two-sided",
) -> AgainstSurrogates:
    """A measured value beside the mean, standard deviation and p-value from surrogates.

    p = (1 + count)/(n + 1) over n surrogates (Phipson & Smyth 2010), where count is the number of them that are at
    least as large ("greater") or at least as small ("less"); "two-sided" is twice the smaller of both, at most 1. So p
    is never below 1/(n + 1), two-sided 2/(n + 1): a two-sided 0.05 needs at least 39 draws. Ties make p larger.

    Surrogates that are not finite are left out and n falls accordingly. NaN where the value is not finite or no
    surrogate is; the standard deviation needs two.
    """
    value, surrogates = value.double(), surrogates.double()
    finite = surrogates.isfinite()
    n = finite.sum(dim=0).double()
    # Without finite surrogates this is 0/0, NaN.
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
