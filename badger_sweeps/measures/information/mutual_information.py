"""Mutual information between the hidden states of every two experts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.copula import Copula, normal_scores


class AgainstPermutations(NamedTuple):
    """A value for each pair beside what it is when the experts' games are shuffled."""

    value: Float[Tensor, "population pair"]
    """In bits."""
    null_mean: Float[Tensor, "population pair"]
    """Its mean over permutations; near 0 if the bias is corrected."""
    null_sd: Float[Tensor, "population pair"]
    """Its standard deviation over permutations."""
    z: Float[Tensor, "population pair"]
    """How many of them the value lies above the mean."""


def pairs(experts: int) -> Int[Tensor, "pair 2"]:
    """All pairs i < j, in the order (0, 1), (0, 2), ..., (1, 2), ..."""
    return torch.combinations(torch.arange(experts))


def pairwise(
    states: Float[Tensor, "population game expert component"],
    given: Float[Tensor, "population game dim"] | Conditions | None = None,
) -> Float[Tensor, "population pair"]:
    """I(h_i; h_j) of all pairs, or I(h_i; h_j | given), by the Gaussian copula with bias correction.

    I = H(h_i) + H(h_j) - H(h_i, h_j), every entropy corrected (`copula.Copula`). It sees dependence that is monotone in
    each component or a linear mixture; y = x^2 is invisible to it (`ksg.pairwise` sees that in one or two dimensions).
    A lower bound on the true value only between single components. Not cut off at zero: an estimate without bias must
    be able to fall below it.

    What games have in common (targets, the error all experts read) makes experts dependent without any exchange: give
    the targets as `given` to take that part out.

    Units: bits. Samples: games of one fixed set, read after one inner step; 1000 for up to 32 components, 300 for up to
    4; at least two more than variables, else NaN. Standard deviation, if each of d shared dimensions is correlated by
    rho: about (d rho^2/N + d_i d_j/(2 N^2))^0.5/ln 2 bits; of 0.64 bits in two dimensions 0.04 at 1000 games with 8
    components and 0.05 with 32, 0.07 at 300 with 4. Bias: none seen for independent states; downwards by about 1 % of
    the value for states that differ by the default noise floor only, at 1000 games. NaN with a warning for pairs with a
    component that is constant, not finite, or a function of others.

    Args:
        states: reduced (`reduction.project`) and read with a noise floor (`noise.with_noise_floor`).
        given: numbers to condition on.

    Source: Ince et al. 2017, Human Brain Mapping 38:1541.
    """
    return _pairwise(Copula.of(states, given))


def against_permutations(
    states: Float[Tensor, "population game expert component"], permutations: int, generator: torch.Generator
) -> AgainstPermutations:
    """`pairwise` beside its null distribution: every expert's games shuffled on their own, 200 times as a rule.

    z is in standard deviations of the null, which is skewed as chi-squared with as many degrees of freedom as pairs of
    components: with few, 3 is less rare than of a normal variable. Units, samples and failures are those of `pairwise`.
    """
    games, experts, components = states.shape[1:]
    scores = normal_scores(states.flatten(-2))
    value = _pairwise(Copula(scores @ scores.mT / (games - 1), games, experts, components))
    if value.isnan().all():
        return AgainstPermutations(value, value, value, value)
    scores = scores.view(-1, experts, components, games)
    draws = []
    for _ in range(permutations):
        order = torch.rand(experts, games, generator=generator, device=generator.device).argsort(dim=-1)
        shuffled = scores.gather(-1, order.to(scores.device)[None, :, None].expand_as(scores)).flatten(1, 2)
        draws.append(_pairwise(Copula(shuffled @ shuffled.mT / (games - 1), games, experts, components)))
    null = torch.stack(draws)
    mean, sd = null.mean(dim=0), null.std(dim=0)
    return AgainstPermutations(value, mean, sd, (value - mean) / sd)


def _pairwise(copula: Copula) -> Float[Tensor, "population pair"]:
    both = pairs(copula.experts)
    alone = copula.entropy(torch.arange(copula.experts)[:, None])
    return alone[:, both[:, 0]] + alone[:, both[:, 1]] - copula.entropy(both)
