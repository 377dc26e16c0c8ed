"""What is left of states when numbers that drive them all are known."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

HIGHEST_DEGREE = 7
GAMES_PER_TERM = 8
"""Games asked for with each term of the polynomial beyond the linear ones: it widens the spread by 7 % at most."""
ROUNDING = 64
"""What is left of a constant, or of a function of the given numbers: up to so many epsilon of the state's size."""


class Conditions(NamedTuple):
    """Numbers to condition on, prepared; worth keeping where the same ones are conditioned on again and again."""

    basis: Float[Tensor, "*batch game term"]
    """Orthonormal columns that span the constant and the polynomial."""

    @classmethod
    def on(cls, given: Float[Tensor, "*batch game dim"]) -> Conditions:
        """All monomials up to the highest degree, at most 7, for which there are 8 games per term."""
        games, dims = given.shape[-2:]
        terms = _monomials(given.double(), _degree(dims, games))
        return cls(torch.linalg.qr(torch.cat([torch.ones_like(terms[..., :1]), terms], dim=-1)).Q)


class Left(NamedTuple):
    """What is left of states when other numbers are known."""

    residuals: Float[Tensor, "*batch game variable"]
    """All 0 where a variable is constant or a function of the given numbers; NaN where these are not finite."""
    share: Float[Tensor, "*batch variable"]
    """Their standard deviation over that of the states."""
    terms: int
    """The number of terms that were fitted beside the constant: N residuals behave like N - terms games."""


def left_given(
    samples: Float[Tensor, "*batch game variable"], given: Float[Tensor, "*#batch game dim"] | Conditions
) -> Left:
    """The residuals of a least-squares polynomial in the given numbers.

    It has all monomials up to the highest degree, at most 7, for which there are 8 games per term: at 1000 games
    degree 5 for 4 numbers, 4 for 5, 3 for 6 and 7, 2 for up to 14, then 1. What depends on the numbers in another way
    stays in the residuals, and so does noise whose size depends on them: information given the numbers is from above.

    In bits of binding information of 16 experts whose 4 outputs are a function of 4 uniform targets plus private noise
    of relative variance s, where the truth is 0 and nothing given leaves 10 to 17 (1000 games, means of 6):

    | function                       | s = 0.1 | s = 0.01 |
    |--------------------------------|---------|----------|
    | the targets, their cubes, tanh | 0.03    | 0.03     |
    | tanh of random mixtures        | -0.05   | 0.08     |
    | tanh of 3 times the targets    | 0.09    | 1.05     |

    Partial correlations of normal scores, the usual way, leave 1.3 to 4 bits in all of them: scores of uniform targets
    are bent against those of what follows them linearly.

    Source: this project's choice.
    """
    games = samples.shape[-2]
    basis = (given if isinstance(given, Conditions) else Conditions.on(given)).basis.to(samples)
    centred = samples - samples.mean(dim=-2, keepdim=True)
    residuals = centred - basis @ (basis.mT @ centred)
    left, all_there_was, size = (
        torch.linalg.vector_norm(values, dim=-2, dtype=torch.float64) for values in (residuals, centred, samples)
    )
    nothing = left <= ROUNDING * torch.finfo(samples.dtype).eps * size
    fitted = basis.shape[-1] - 1
    free = max(games - 1 - fitted, 1)  # the residuals' degrees of freedom, without which they look too small
    share = (left / all_there_was * math.sqrt((games - 1) / free)).masked_fill(nothing, 0.0)
    return Left(residuals.masked_fill(nothing[..., None, :], 0.0), share, fitted)


def _degree(numbers: int, games: int) -> int:
    fitting = [
        degree
        for degree in range(2, HIGHEST_DEGREE + 1)
        if (math.comb(numbers + degree, degree) - 1) * GAMES_PER_TERM <= games
    ]
    return max(fitting, default=1)


def _monomials(numbers: Float[Tensor, "*batch game dim"], degree: int) -> Float[Tensor, "*batch game term"]:
    """Of degrees 1 to `degree`, of the numbers brought to the same size, on which least squares stands best."""
    scaled = numbers / numbers.abs().amax(dim=-2, keepdim=True).clamp(min=torch.finfo(numbers.dtype).tiny)
    terms = [
        scaled[..., list(factors)].prod(dim=-1)
        for size in range(1, degree + 1)
        for factors in combinations_with_replacement(range(numbers.shape[-1]), size)
    ]
    return torch.stack(terms, dim=-1)
