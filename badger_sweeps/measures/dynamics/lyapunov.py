"""Lyapunov exponents, the measure of chaos: of a series, of perturbed replicas and of a map."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from badger_sweeps.measures.dynamics._series import can_be_measured
from badger_sweeps.measures.dynamics.surrogates import AgainstSurrogates, compare_with_surrogates, phase_randomised
from badger_sweeps.measures.unmeasurable import warn_unmeasurable

MIN_LENGTH = 200
"""The least number of values of a series for an exponent."""
LEAST_OF_REPLICAS = 10
"""The least number of distances between perturbed replicas for a rate."""


def rosenstein(
    series: Float[Tensor, "population time"],
    *,
    emb_dim: int = 2,
    lag: int = 1,
    min_tsep: int = 1,
    trajectory_len: int = 6,
) -> Float[Tensor, " population"]:
    """The rate at which neighbours in a delay embedding diverge: the largest Lyapunov exponent of a chaotic series.

    Slope of the mean ln distance of nearest neighbours over `trajectory_len` iterations (Rosenstein et al. 1993), by
    `nolds.lyap_r(fit="poly")`. With these settings the logistic map at r = 4, truth .693, gives .693 +- .002 from 1000
    values and .692 +- .010 from 200; but **white noise gives .53 +- .01** from 1000 and .41 +- .02 from 200, since
    neighbours in noise diverge as well. The value alone shows nothing: use `against_surrogates`. (nolds' default
    settings give 0 on the logistic map.) nolds leaves out distances of zero, so a series with many equal values is
    biased. Memory and time grow with the square of the length: 1000 values take about 0.1 s and 20 MB per member.

    Args:
        series: at least 200 iterations of a stationary section.
        emb_dim: values per point of the embedding.
        lag: iterations between these values.
        min_tsep: neighbours are more than this many iterations apart.
        trajectory_len: iterations over which distances are followed; with too many, distances saturate.

    Returns:
        Nats per iteration, float64. NaN, with one warning, for members that are too short, constant, not finite or so
        periodic that neighbours coincide.
    """
    result = _rosenstein(series, emb_dim, lag, min_tsep, trajectory_len)
    if not result.isfinite().all():
        warn_unmeasurable(
            "largest Lyapunov exponent", f"needs {MIN_LENGTH} finite values that vary", "a member without"
        )
    return result


def against_surrogates(
    series: Float[Tensor, "population time"],
    generator: Generator,
    draws: int = 99,
    *,
    surrogates: Callable[[Tensor, int, Generator], Tensor] = phase_randomised,
    emb_dim: int = 2,
    lag: int = 1,
    min_tsep: int = 1,
    trajectory_len: int = 6,
) -> AgainstSurrogates:
    """The exponent of `rosenstein` beside those of surrogates, two-sided.

    A small p-value shows that the series is not linear Gaussian noise; it does not show that it is chaotic. Independent
    noise with a skewed or flat distribution is not Gaussian either: 1000 exponential values give .57 beside .53 +- .01
    and are always rejected, uniform ones nearly always. Where the values are not Gaussian, use `amplitude_adjusted`
    surrogates, whose null hypothesis includes such noise. A chaotic series may also lie below its surrogates: the Henon
    map gives .40 (truth .42).

    Args:
        series: at least 200 iterations of a stationary section, without trend.
        generator: draws the surrogates.
        draws: number of surrogates; the cost is `draws` times that of `rosenstein`.
        surrogates: makes them.
        emb_dim: as in `rosenstein`.
        lag: as in `rosenstein`.
        min_tsep: as in `rosenstein`.
        trajectory_len: as in `rosenstein`.

    Returns:
        See `AgainstSurrogates`; nats per iteration. NaN, with one warning, for members that cannot be measured.
    """
    settings = (emb_dim, lag, min_tsep, trajectory_len)
    value = _rosenstein(series, *settings)
    if not value.isfinite().all():
        warn_unmeasurable(
            "largest Lyapunov exponent against surrogates",
            f"needs {MIN_LENGTH} finite values that vary",
            "a member without",
        )
    null = [_rosenstein(draw, *settings) for draw in surrogates(series, draws, generator)]
    return compare_with_surrogates(value, torch.stack(null))


def divergence_rate(
    distance: Float[Tensor, "population time"],
    *,
    start: int = 0,
    end: int | None = None,
    floor: float = 0.0,
    ceiling: float = math.inf,
) -> Float[Tensor, " population"]:
    """The rate at which perturbed replicas diverge: the least-squares slope of ln distance per iteration.

    Two replicas see the same data in the same order; the weights of one are perturbed once, and distance is
    ||delta theta|| from then on. The perturbation must exceed the rounding of the weights: 1e-8 is enough for float64
    and changes nothing in float32, which needs about 1e-6 of the weights. The fit ends before the distance first leaves
    (floor, ceiling), so that it contains neither replicas that have become equal (an exact zero, or rounding errors)
    nor distances that have saturated; choose a ceiling of, say, a tenth of ||theta|| and start after the perturbation
    has turned into the fastest growing direction. Ending at a crossing biases the slope by about the fluctuation of
    ln distance divided by the length of the fit.

    Args:
        distance: between the replicas at each iteration, at least 10 within the fit.
        start: first iteration of the fit.
        end: the iteration after its last; None for all iterations.
        floor: distances of at most this value are not used, nor are later ones.
        ceiling: distances of at least this value are not used, nor are later ones.

    Returns:
        Nats per iteration, float64: positive where replicas diverge. NaN, with one warning, for members with fewer than
        10 distances in the fit; distances that are not finite end it as the ceiling does.
    """
    values = distance.double()[:, start:end]
    inside = values.isfinite() & (values > floor) & (values < ceiling)
    used = inside.cumprod(dim=1).bool()
    n = used.sum(dim=1)
    logs = values.where(used, 1.0).log()
    time = torch.arange(values.shape[1], dtype=torch.float64, device=values.device)
    # Used iterations are the first n, so their times sum to those of 0..n-1.
    centred = (time - (n[:, None] - 1) / 2).where(used, 0.0)
    slope = (centred * logs).sum(dim=1) / centred.square().sum(dim=1)
    enough = n >= LEAST_OF_REPLICAS
    if not enough.all():
        warn_unmeasurable(
            "divergence of perturbed replicas",
            f"needs {LEAST_OF_REPLICAS} distances between floor and ceiling",
            "fewer",
        )
    return slope.where(enough, math.nan)


def tangent_exponents(
    step: Callable[[int, Tensor], Tensor],
    state: Float[Tensor, "population variable"],
    steps: int,
    generator: Generator,
    exponents: int = 1,
    discard: int = 0,
) -> Float[Tensor, "population exponent"]:
    """The largest Lyapunov exponents of a map, from tangent vectors (Benettin et al. 1980).

    Forward-mode derivatives push orthonormal tangent vectors through the map, and a QR decomposition makes them
    orthonormal again after every step; exponent k is the mean of ln R_kk over the counted steps. The vectors start in
    random directions and need time to turn: with n variables the first exponent is too low by up to about
    (ln(n) + 1.3)/2 divided by the number of steps, 0.19 after 20 steps with n = 512. `discard` skips the steps in which
    they turn: either iterate the map for longer than in its normal use, or read the exponent as that of a random
    perturbation within its normal use.

    Args:
        step: the map h_{t+1} = f(t, h_t) on states of shape (population, variable), t = 0, 1, ...; it must treat every
            row independently and consist of PyTorch operations that have forward derivatives.
        state: h_0; its precision is that of the map, while orthonormalisation and sums are in float64.
        steps: number of steps that are counted, at least 1.
        generator: draws the first tangent vectors, the same for all members.
        exponents: number of exponents, at most that of variables.
        discard: steps before counting starts.

    Returns:
        Nats per step, float64, largest first for many steps; -inf for a direction that the map flattens. NaN, with
        one warning, for members whose state or tangents do not stay finite.
    """
    population, variables = state.shape
    if not 1 <= exponents <= variables or steps < 1 or discard < 0:
        raise ValueError(
            "tangent_exponents: needs 1 <= exponents <= variables, steps >= 1 and discard >= 0; "
            f"found exponents={exponents}, variables={variables}, steps={steps}, discard={discard}"
        )
    first = torch.randn(variables, exponents, generator=generator, dtype=torch.float64, device=generator.device)
    frame = torch.linalg.qr(first).Q.to(state.device)
    identity = torch.eye(variables, exponents, dtype=torch.float64, device=state.device)
    tangents = frame.expand(population, -1, -1)
    total = torch.zeros(population, exponents, dtype=torch.float64, device=state.device)
    finite = torch.ones(population, dtype=torch.bool, device=state.device)
    state = state.detach()
    for t in range(discard + steps):
        state, pushed = _push(step, t, state, tangents.to(state.dtype))
        pushed = pushed.double()
        finite &= state.isfinite().all(dim=1) & pushed.isfinite().all(dim=(1, 2))
        # A member that is not finite gets the identity, so that its NaN cannot disturb the decomposition of others.
        pushed = torch.where(finite[:, None, None], pushed, identity)
        tangents, triangle = torch.linalg.qr(pushed)
        if t >= discard:
            total += triangle.diagonal(dim1=1, dim2=2).abs().log()
    if not finite.all():
        warn_unmeasurable("exponents of tangents", "needs states and tangents that stay finite", "a member without")
    return (total / steps).where(finite[:, None], math.nan)


def _push(
    step: Callable[[int, Tensor], Tensor],
    t: int,
    state: Float[Tensor, "population variable"],
    tangents: Float[Tensor, "population variable exponent"],
) -> tuple[Float[Tensor, "population variable"], Float[Tensor, "population variable exponent"]]:
    """The next state, and the tangents pushed through the map."""

    def along(tangent: Tensor) -> tuple[Tensor, Tensor]:
        after, pushed = torch.func.jvp(lambda before: step(t, before), (state,), (tangent,))[:2]
        return after, pushed

    with torch.no_grad():
        # The state does not depend on the tangent, so it comes back without the axis of exponents.
        after, pushed = torch.func.vmap(along, in_dims=2, out_dims=(None, 2))(tangents)  # type: ignore[arg-type]
    return after, pushed


def _rosenstein(
    series: Float[Tensor, "population time"], emb_dim: int, lag: int, min_tsep: int, trajectory_len: int
) -> Float[Tensor, " population"]:
    from badger_sweeps.measures.dynamics._nolds import nolds  # a fifth of a second to import

    values = torch.full(series.shape[:1], math.nan, dtype=torch.float64)
    usable = can_be_measured(series, MIN_LENGTH).tolist()
    for member, row in enumerate(series.detach().double().cpu().numpy()):
        if usable[member]:
            exponent, (followed, _, _) = nolds.lyap_r(
                row,
                emb_dim=emb_dim,
                lag=lag,
                min_tsep=min_tsep,
                trajectory_len=trajectory_len,
                fit="poly",
                debug_data=True,
            )
            # nolds drops iterations at which all distances are zero and fits the others, even if only one is left.
            if len(followed) == trajectory_len:
                values[member] = float(exponent)
    return values.to(series.device)
