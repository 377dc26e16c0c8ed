"""The Gaussian copula of experts' states: one covariance that gives all entropies, corrected for bias."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import digamma, ndtri
from torch import Tensor

from badger_sweeps.measures.information.conditioning import Conditions, residuals_given
from badger_sweeps.measures.one_by_one import one_by_one
from badger_sweeps.measures.unmeasurable import warn_unmeasurable

LEAST_PIVOT = 1e-5
"""The least pivot of the Cholesky factor of a correlation matrix. Scores of 1000 games that are not functions of each
other have pivots three orders of magnitude above it; rounding gives pivots three orders below."""


@dataclass(frozen=True)
class Copula:
    """The Gaussian copula: the covariance of the normal scores of E experts' components, then of other variables.

    Every entropy is the differential entropy of standardised Gaussian variables, in bits: it depends on their
    dependence only, and a single component has the entropy of a standard normal variable. The bias of the
    log-determinant of a sample covariance (`entropy_bias`) is subtracted from each; it is exact for Gaussian samples of
    any size, and no bias was seen for normal scores of independent variables (64 of them, 1000 games: below 0.02 bits).

    Error: ranks act as additional noise. Where a variable is a function of others up to a share v of its variance, they
    remove log2(1 + c/(N v))/2 bits of that dependence, with c about 3, or below 1 between copies. At 1000 games and
    v = 0.02 that is 0.03 of 2.8 bits for two copies and 0.1 where the function is of several variables.

    Entropies are NaN, with one warning for each copula, for fewer games than variables + 2 and where variables are
    functions of each other.

    Attributes:
        covariance: of the normal scores; NaN in the rows and columns of a component that is constant or not finite.
        games: the number of games, minus the number of terms fitted for conditioning.
        experts: E; the first E*components variables are those of the experts, one expert after another.
        components: variables per expert.

    Source: Ince et al. 2017, Human Brain Mapping 38:1541.
    """

    covariance: Float[Tensor, "*batch variable variable"]
    games: int
    experts: int
    components: int
    _warned: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        states: Float[Tensor, "*batch game expert component"],
        given: Float[Tensor, "*#batch game dim"] | Conditions | None = None,
    ) -> Copula:
        """The copula of experts' states; with `given`, of their residuals (`conditioning.residuals_given`).

        Args:
            states: one sample per game, all after the same inner step. States that are functions of each other have
                infinite mutual information: add a noise floor first (`noise.with_noise_floor`).
            given: numbers to condition on, such as the games' targets.
        """
        games, experts, components = states.shape[-3:]
        samples = _by_variable(states.flatten(-2))
        if given is None:
            return cls(_each(samples, lambda one: _covariance(one, games)), games, experts, components)
        conditions = given if isinstance(given, Conditions) else Conditions.on(given)
        games -= conditions.fitted

        def of_residuals(one: Tensor, basis: Tensor) -> Tensor:
            residuals = residuals_given(one, Conditions(basis))
            # In units of the states' standard deviations: entropies are comparable, and noise floors stay the same.
            scale = residuals.share[..., :, None] * residuals.share[..., None, :]
            return _covariance(residuals.values, games) * scale

        basis = conditions.basis.expand(*samples.shape[:-2], -1, -1)
        return cls(_each(samples, of_residuals, basis), games, experts, components)

    @classmethod
    def with_others(
        cls, states: Float[Tensor, "*batch game expert component"], others: Float[Tensor, "*batch game dim"]
    ) -> Copula:
        """The copula of experts' states, then of other variables, such as the games' targets."""
        games, experts, components = states.shape[-3:]
        samples = _by_variable(torch.cat([states.flatten(-2), others], dim=-1))
        return cls(_each(samples, lambda one: _covariance(one, games)), games, experts, components)

    def entropy(self, subsets: Int[Tensor, "subset expert"]) -> Float[Tensor, "*batch subset"]:
        """H of each subset of experts, all of one size, in bits; 0 for the empty subset."""
        return self._entropy_of(self._variables(subsets))

    def information_about_others(self, subsets: Int[Tensor, "subset expert"]) -> Float[Tensor, "*batch subset"]:
        """I(X_S; others) of each subset of experts, in bits."""
        variables = self._variables(subsets)
        others = torch.arange(self._width, self.covariance.shape[-1], device=self.covariance.device)
        both = torch.cat([variables, others.expand(len(variables), -1)], dim=-1)
        return self._entropy_of(variables) + self._entropy_of(others[None]) - self._entropy_of(both)

    @property
    def joint_entropy(self) -> Float[Tensor, "*batch"]:
        """H of all experts, in bits."""
        return self._entropy(self.covariance[..., : self._width, : self._width])

    @property
    def entropy_without_each(self) -> Float[Tensor, "*batch expert"]:
        """H of all experts but one, for each, in bits.

        By ln|S without block| = ln|S| + ln|block of the inverse|, which needs one inverse instead of E determinants.
        """
        covariance = self.covariance[..., : self._width, : self._width]
        inverse = _each(self._cholesky(covariance), torch.cholesky_inverse)
        batch, blocks = inverse.shape[:-2], (self.experts, self.components)
        diagonal = inverse.reshape(*batch, *blocks, *blocks).diagonal(dim1=-4, dim2=-2).movedim(-1, -3)
        log_det = self._log_det(covariance)[..., None] + self._log_det(diagonal)
        return self._bits(log_det, self._width - self.components)

    @property
    def _width(self) -> int:
        return self.experts * self.components

    def _variables(self, subsets: Int[Tensor, "subset expert"]) -> Int[Tensor, "subset variable"]:
        offsets = torch.arange(self.components, device=self.covariance.device)
        return (subsets.to(offsets)[..., None] * self.components + offsets).flatten(-2)

    def _entropy_of(self, variables: Int[Tensor, "subset variable"]) -> Float[Tensor, "*batch subset"]:
        return self._entropy(self.covariance[..., variables[:, :, None], variables[:, None, :]])

    def _entropy(self, covariance: Float[Tensor, "*any variable variable"]) -> Float[Tensor, "*any"]:
        return self._bits(self._log_det(covariance), covariance.shape[-1])

    def _bits(self, log_det: Float[Tensor, "*any"], variables: int) -> Float[Tensor, "*any"]:
        if variables > self.games - 2:
            self._warn("needs at least two games more than variables", f"{self.games} games, {variables} variables")
            return torch.full_like(log_det, math.nan)
        nats = (log_det + variables * math.log(2 * math.pi * math.e)) / 2 - entropy_bias(variables, self.games)
        return nats / math.log(2)

    def _log_det(self, covariance: Float[Tensor, "*any variable variable"]) -> Float[Tensor, "*any"]:
        return 2 * self._cholesky(covariance).diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)

    def _cholesky(self, covariance: Float[Tensor, "*any variable variable"]) -> Float[Tensor, "*any variable variable"]:
        """The lower Cholesky factor; NaN where the matrix is not positive definite."""
        factor, info = torch.linalg.cholesky_ex(covariance)
        pivots = factor.diagonal(dim1=-2, dim2=-1) / covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        definite = (info == 0) & (pivots > LEAST_PIVOT).all(dim=-1)
        if not definite.all():
            singular = ~definite & covariance.isfinite().all(dim=(-2, -1))
            if singular.any() and covariance.shape[-1] <= self.games - 2:
                self._warn("needs variables that are not functions of each other", "some that are")
        return torch.where(definite[..., None, None], factor, math.nan)

    def _warn(self, rule: str, found: str) -> None:
        """Warn once for this copula, however many entropies are computed."""
        if not self._warned:
            self._warned.add(rule)
            warn_unmeasurable("Gaussian copula", rule, found)


def normal_scores(samples: Float[Tensor, "*batch game variable"]) -> Float[Tensor, "*batch variable game"]:
    """Normal scores: each variable's values replaced by the normal quantiles of their ranks, Phi^-1(rank/(N + 1)).

    They are float64 and scaled to variance 1 (N - 1 in the denominator).

    Ties are broken at random, by a generator with a fixed seed and independently for each variable: broken by position
    they would make tied variables look dependent. A variable that is constant or has a value that is not finite is NaN
    in all games.
    """
    columns = samples.detach().mT.contiguous()
    games = columns.shape[-1]
    if games < 2:
        return columns.new_full(columns.shape, math.nan, dtype=torch.float64)
    order = _argsort(columns)
    ordered = columns.gather(-1, order)
    tied = ordered.diff(dim=-1).amin(dim=-1) == 0
    if tied.any():
        order[tied] = _argsort_breaking_ties(columns[tied], variables=tied.nonzero()[:, -1])
    scores = torch.empty_like(columns, dtype=torch.float64)
    scores.scatter_(-1, order, _quantiles(games).to(columns.device).expand_as(order))
    ends = ordered[..., [0, -1]]  # a value that is not finite is first or last
    unusable = ~ends.isfinite().all(dim=-1) | (ends[..., 0] == ends[..., 1])
    if unusable.any():
        warn_unmeasurable("Gaussian copula", "needs finite values that vary from game to game", "a variable without")
        scores[unusable] = math.nan
    return scores


@lru_cache(maxsize=8)
def _quantiles(games: int) -> Float[Tensor, " game"]:
    """The normal scores of the ranks 1 to `games`."""
    quantiles = ndtri(np.arange(1, games + 1) / (games + 1))
    return torch.from_numpy(quantiles / quantiles.std(ddof=1))


def _by_variable(samples: Float[Tensor, "*batch game variable"]) -> Float[Tensor, "*batch game variable"]:
    """The same samples, in memory one variable after another, as they are summed and sorted."""
    return samples.mT.contiguous().mT


def _each(
    samples: Float[Tensor, "*batch game variable"], of: Callable[..., Tensor], *others: Float[Tensor, "*batch ..."]
) -> Float[Tensor, "*batch variable variable"]:
    """`of` each sample of the batch and what belongs to it, one by one."""
    if samples.dim() == 2 or not samples.numel():
        return of(samples, *others)
    batches = (tensor.flatten(0, -3) for tensor in (samples, *others))
    if samples.device.type == "cpu":  # products of matrices are faster than those of batches of one matrix
        values = one_by_one(lambda *one: of(*(tensor[0] for tensor in one))[None], *batches)
    else:
        values = of(*batches)
    return values.view(*samples.shape[:-2], *values.shape[1:])


def _covariance(
    samples: Float[Tensor, "*batch game variable"], games: int
) -> Float[Tensor, "*batch variable variable"]:
    """The covariance of normal scores, scaled so that one variable has the corrected entropy of a standard normal one.

    Ranks fix the variance of a single variable, so its entropy has no bias; the scale cancels the correction.
    """
    scores = normal_scores(samples)
    if games < 2:
        return torch.full_like(scores @ scores.mT, math.nan)
    return scores @ scores.mT * (math.exp(2 * entropy_bias(1, games)) / (samples.shape[-2] - 1))


def entropy_bias(variables: int, games: int) -> float:
    """The bias b(m) of the entropy of m Gaussian variables that is computed from a sample covariance, in nats.

    b(m) = [m ln(2/(N - 1)) + sum over k = 1..m of psi((N - k)/2)]/2, negative, about -m(m + 1)/(4N). Exact for
    the covariance of N Gaussian samples (with N - 1 in the denominator); needs N > m.
    """
    dims = np.arange(1, variables + 1)
    return float(variables * math.log(2 / (games - 1)) + digamma((games - dims) / 2).sum()) / 2


def _argsort(columns: Float[Tensor, "*batch variable game"]) -> Int[Tensor, "*batch variable game"]:
    """The stable order of each variable's values; those that are not finite come first or last.

    On the CPU numbers are sorted that have a float's bits, as an integer of the same order, above its position: numpy
    sorts integers with vector instructions, which takes half the time of its own `argsort` and a tenth of PyTorch's.
    """
    if columns.device.type != "cpu" or columns.dtype != torch.float32:
        return columns.argsort(dim=-1, stable=True)
    bits = (columns + 0.0).numpy().view(np.int32)  # 0 is added, since -0 is equal to 0
    ordered = bits ^ (bits >> 31 & np.int32(2**31 - 1))
    keys = ordered.astype(np.int64) << 32 | np.arange(columns.shape[-1])
    keys.sort(axis=-1)
    return torch.from_numpy(keys & (2**32 - 1))


def _argsort_breaking_ties(
    columns: Float[Tensor, "column game"], variables: Int[Tensor, " column"]
) -> Int[Tensor, "column game"]:
    """An order with ties broken at random, equally in all members, so that no member depends on the others."""
    shuffle = _shuffles(2 ** int(variables.max()).bit_length(), columns.shape[-1])[variables.cpu()].to(columns.device)
    return shuffle.gather(-1, _argsort(columns.gather(-1, shuffle)))


@lru_cache(maxsize=8)
def _shuffles(variables: int, games: int) -> Int[Tensor, "variable game"]:
    """A random order of the games for each variable, the same for any number of variables."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(variables, games, generator=generator).argsort(dim=-1)
