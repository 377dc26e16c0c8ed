"""Chaos: Lyapunov exponents of a series, of twin runs and of a map."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from badger_sweeps.measures.dynamics._series import can_be_measured
from badger_sweeps.measures.dynamics.surrogates import AgainstSurrogates, compare_with_surrogates, phase_randomised
from badger_sweeps.measures.unmeasurable import warn_unmeasurable

LEAST = 200
"""Values of a series below which no exponent is given."""
LEAST_OF_REPLICAS = 10
"""Distances of twin runs below which no rate is given."""


def rosenstein(
    series: Float[Tensor, "population time"],
    *,
    emb_dim: int = 2,
    lag: int = 1,
    min_tsep: int = 1,
    trajectory_len: int = 6,
) -> Float[Tensor, " population"]:
    """The rate at which neighbours in a delay embedding part: the largest Lyapunov exponent, *if* there is one.

    Slope of the mean ln distance of nearest neighbours over `trajectory_len` iterations (Rosenstein et al. 1993), by
    `nolds.lyap_r(fit="poly")`. With these settings the logistic map at r = 4, truth .693, gives .693 +- .002 from 1000
    values and .692 +- .010 from 200; but **white noise gives .53 +- .01** from 1000 and .41 +- .02 from 200, since
    neighbours of noise part as well. The value means nothing by itself: use `against_surrogates`. (nolds' own settings
    give 0 on the logistic map.) Distances of zero are left out by nolds, so a series with many equal values is biased.
    Memory and time grow with the square of the length: 1000 values take about 0.1 s and 20 MB a member.

    Args:
        series: at least 200 iterations of a stationary section.
        emb_dim: values that make up a point.
        lag: iterations between them.
        min_tsep: neighbours are more than this many iterations apart.
        trajectory_len: iterations they are followed for; too long, and they have parted as far as they can.

    Returns:
        Nats per iteration, float64. NaN, with one warning, for members that are too short, constant, not finite or so
        periodic that neighbours coincide.
    """
    result = _rosenstein(series, emb_dim, lag, min_tsep, trajectory_len)
    if not result.isfinite().all():
        warn_unmeasurable("largest Lyapunov exponent", f"needs {LEAST} finite values that vary", "a member without")
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
    """`rosenstein` beside its phase-randomised surrogates, two-sided.

    A small p-value says that the series is not linear Gaussian noise; it does not say that it is chaotic. Independent
    noise of a skewed or flat distribution is not Gaussian either: 1000 exponential values give .57 beside .53 +- .01
    and are rejected always, uniform ones nearly always. Where the values are not Gaussian, take `amplitude_adjusted`
    surrogates, whose null contains these. Chaos may also lie below its surrogates: the Henon map gives .40 (truth .42).

    Args:
        series: at least 200 iterations of a stationary section, without trend.
        generator: of the surrogates.
        draws: how many; it costs `draws` times `rosenstein`.
        surrogates: what they are.
        emb_dim: as in `rosenstein`, and so are the others.
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
            "largest Lyapunov exponent against surrogates", f"needs {LEAST} finite values that vary", "a member without"
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
    """How fast twin runs part: the least-squares slope of ln distance per iteration.

    Twin runs see the same data in the same order; the weights of one are perturbed once, and distance is
    ||delta theta|| from then on. The perturbation must be above the rounding of the weights: 1e-8 does for float64 but
    changes nothing in float32, where it takes about 1e-6 of the weights. The fit ends before the distance first leaves
    (floor, ceiling), so that neither twins that have met (an exact zero, or rounding errors) nor twins that are as far
    apart as they can get are counted; choose a ceiling of, say, a tenth of ||theta|| and start after the perturbation
    has turned into the fastest growing direction. Ending at a crossing biases the slope by about the fluctuation of
    ln distance divided by the length of the fit.

    Args:
        distance: of each iteration, at least 10 within the fit.
        start: first iteration of the fit.
        end: the iteration after its last; None for all there are.
        floor: distances down to this one are not used, nor what follows them.
        ceiling: distances from this one on are not used, nor what follows them.

    Returns:
        Nats per iteration, float64: positive where twins part. NaN, with one warning, for members with fewer than 10
        distances in the fit; distances that are not finite end it as the ceiling does.
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
            "divergence of twin runs", f"needs {LEAST_OF_REPLICAS} distances between floor and ceiling", "fewer"
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

    Orthonormal tangent vectors are pushed through the map by forward-mode derivatives and made orthonormal again (QR)
    after every step; exponent k is the mean of ln R_kk over the counted steps. The vectors start in random directions
    and need time to turn: with n variables the first exponent comes out too low by up to about (ln(n) + 1.3)/2 divided
    by the number of steps, 0.19 after 20 steps with n = 512. `discard` lets them turn first: either run the map
    for longer than it is usually used, or read the exponent as that of a random perturbation within its usual time.

    Args:
        step: the map h_{t+1} = f(t, h_t) on states of shape (population, variable), t = 0, 1, ...; it must treat every
            row by itself and be written in operations of PyTorch that have forward derivatives.
        state: h_0; its precision is that of the map, while orthonormalisation and sums are in float64.
        steps: how many are counted, at least 1.
        generator: of the first tangent vectors; all members get the same.
        exponents: how many, at most the number of variables.
        discard: steps that are made before counting starts.

    Returns:
        Nats per step, float64, largest first in the long run; -inf for a direction that the map flattens. NaN, with
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
        # A member that has left keeps a harmless frame, so that its NaN cannot disturb the decomposition of others.
        pushed = torch.where(finite[:, None, None], pushed, identity)
        tangents, triangle = torch.linalg.qr(pushed)
        if t >= discard:
            total += triangle.diagonal(dim1=1, dim2=2).abs().log()
    if not finite.all():
        warn_unmeasurable("exponents of tangents", "needs states and tangents that stay finite", "a member that left")
    return (total / steps).where(finite[:, None], math.nan)


def _push(
    step: Callable[[int, Tensor], Tensor],
    t: int,
    state: Float[Tensor, "population variable"],
    tangents: Float[Tensor, "population variable exponent"],
) -> tuple[Float[Tensor, "population variable"], Float[Tensor, "population variable exponent"]]:
    """The next state and the tangents pushed to it."""

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
    usable = can_be_measured(series, LEAST).tolist()
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
            # nolds drops the iterations at which all distances are zero and fits what is left, be it one.
            if len(followed) == trajectory_len:
                values[member] = float(exponent)
    return values.to(series.device)
