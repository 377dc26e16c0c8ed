"""Residuals of states given numbers that all of them depend on, such as the targets."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

HIGHEST_DEGREE = 7
GAMES_PER_TERM = 8
"""Games per term of a polynomial of degree 2 or more: the standard deviation then grows by 7 % at most."""
LEAST_PIVOT = 1e-2
"""The least pivot of the terms' triangle, relative to the largest, with which float32 is precise enough; 1000 games of
uniform numbers have 0.2 and more."""
ROUNDING = 64
"""Residuals of a constant, or of a function of the given numbers, in units of epsilon times the state's size."""


class Conditions(NamedTuple):
    """A basis of the polynomials in the numbers to condition on; computed once where the numbers stay the same."""

    basis: Float[Tensor, "*batch game term"]
    """Orthonormal columns that span the constant and all terms of the polynomial."""

    @property
    def fitted(self) -> int:
        """Number of terms without the constant."""
        return self.basis.shape[-1] - 1

    @classmethod
    def on(
        cls, given: Float[Tensor, "*batch game dim"], inverse: Float[Tensor, "*batch term term"] | None = None
    ) -> Conditions:
        """The basis of all polynomials up to the highest degree, at most 7, for which there are 8 games per term.

        Args:
            given: the numbers to condition on.
            inverse: of `inverse_triangle`, for the same numbers: the basis is then computed in its precision, in a
                tenth of the time.
        """
        terms = _terms(given if inverse is not None else given.double())
        return cls(torch.linalg.qr(terms).Q if inverse is None else terms @ inverse)


def inverse_triangle(given: Float[Tensor, "*batch game dim"]) -> Float[Tensor, "*batch term term"] | None:
    """What `Conditions.on` computes its basis from, an eighth as large as the basis at 1000 games; in float32.

    None where terms are functions of each other up to a hundredth, so that float32 would not do.
    """
    triangle = torch.linalg.qr(_terms(given.double()), mode="r").R
    pivots = triangle.diagonal(dim1=-2, dim2=-1).abs()
    if not (pivots.amin(dim=-1) > LEAST_PIVOT * pivots.amax(dim=-1)).all():
        return None
    unit = torch.eye(triangle.shape[-1]).to(triangle).expand_as(triangle)
    inverse: Tensor = torch.linalg.solve_triangular(triangle, unit, upper=True)
    return inverse.float()


class Residuals(NamedTuple):
    """Residuals of states given other numbers."""

    values: Float[Tensor, "*batch game variable"]
    """In the unit of the states; all 0 where a variable is constant or a function of the given numbers; NaN where these
    numbers are not finite."""
    share: Float[Tensor, "*batch variable"]
    """Their standard deviation relative to that of the states."""
    terms: int
    """Number of fitted terms without the constant: N residuals have the degrees of freedom of N - terms games."""


def residuals_given(
    samples: Float[Tensor, "*batch game variable"], given: Float[Tensor, "*#batch game dim"] | Conditions
) -> Residuals:
    """The residuals of states after a least-squares fit of a polynomial in the given numbers.

    The polynomial has all monomials up to the highest degree, at most 7, for which there are 8 games per term: at 1000
    games degree 5 for 4 numbers, 4 for 5, 3 for 6 and 7, 2 for up to 14, then 1. Other dependence on the numbers stays
    in the residuals, and so does noise whose size depends on them: information given the numbers is an upper bound.

    Bias, in bits of binding information of 16 experts whose 4 outputs are a function of 4 uniform targets plus
    independent noise of relative variance s. The truth is 0; without conditioning 10 to 17 bits are measured (1000
    games, means of 6):

    | function                       | s = 0.1 | s = 0.01 |
    |--------------------------------|---------|----------|
    | the targets, their cubes, tanh | 0.03    | 0.03     |
    | tanh of random mixtures        | -0.05   | 0.08     |
    | tanh of 3 times the targets    | 0.09    | 1.05     |

    Partial correlations of normal scores, the usual method, leave 1.3 to 4 bits in all cases: the scores of uniform
    targets are not a linear function of the scores of variables that are linear in the targets.

    Args:
        samples: the states.
        given: the numbers, or the basis of the polynomials in them.

    Source: this project's choice.
    """
    games = samples.shape[-2]
    conditions = given if isinstance(given, Conditions) else Conditions.on(given)
    basis, fitted = conditions.basis.to(samples), conditions.fitted
    mean = samples.mean(dim=-2, keepdim=True)
    centred = samples - mean
    # Transposed, since measures read the residuals one variable after another.
    residuals = centred - ((centred.mT @ basis) @ basis.mT).mT
    left, before = (torch.linalg.vector_norm(values, dim=-2, dtype=torch.float64) for values in (residuals, centred))
    size = torch.hypot(before, mean.squeeze(-2).double() * math.sqrt(games))
    negligible = left <= ROUNDING * torch.finfo(samples.dtype).eps * size
    free = max(games - 1 - fitted, 1)  # degrees of freedom; without them residuals look too small
    share = (left / before * math.sqrt((games - 1) / free)).masked_fill(negligible, 0.0)
    if negligible.any():
        residuals = residuals.masked_fill(negligible[..., None, :], 0.0)
    return Residuals(residuals, share, fitted)


def _degree(numbers: int, games: int) -> int:
    fitting = [
        degree
        for degree in range(2, HIGHEST_DEGREE + 1)
        if (math.comb(numbers + degree, degree) - 1) * GAMES_PER_TERM <= games
    ]
    return max(fitting, default=1)


def _terms(numbers: Float[Tensor, "*batch game dim"]) -> Float[Tensor, "*batch game term"]:
    """A basis of the polynomials, the constant first: all products of Legendre polynomials of one number each.

    Numbers are scaled to a maximum of 1. If they are uniform the products are nearly orthogonal.
    """
    games, dims = numbers.shape[-2:]
    highest = _degree(dims, games)
    scaled = (numbers / numbers.abs().amax(dim=-2, keepdim=True).clamp(min=torch.finfo(numbers.dtype).tiny)).mT
    powers = [torch.ones_like(scaled), scaled]
    for degree in range(1, highest):
        powers.append(((2 * degree + 1) * scaled * powers[-1] - degree * powers[-2]) / (degree + 1))
    of_each = torch.stack(powers, dim=-2)  # number, degree, game
    terms, degrees = of_each[..., 0, :1, :], [0]
    for dim in range(dims):
        pairs = [(term, more) for term, sofar in enumerate(degrees) for more in range(highest - sofar + 1)]
        before, added = (list(column) for column in zip(*pairs, strict=True))
        terms = terms[..., before, :] * of_each[..., dim, added, :]
        degrees = [degrees[term] + more for term, more in pairs]
    return terms.mT
