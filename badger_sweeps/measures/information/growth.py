"""Information of growing sets of experts: about one more expert, and about the targets."""

from __future__ import annotations

import math
from itertools import combinations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.unmeasurable import warn_unmeasurable

MOST_SUBSETS = 200
"""The largest number of subsets of each size; where there are no more, all are used."""


def shared_with_others(
    states: Float[Tensor, "population game expert component"],
    generator: torch.Generator,
    given: Float[Tensor, "population game dim"] | Conditions | None = None,
) -> Float[Tensor, "population size"]:
    """The mean information psi(L) = <I(X_i; X_S)> between an expert and L others, for L = 1..n-1, in bits.

    Concave (`concavity` above 0): each further expert adds less information, redundancy dominates. Convex: synergy
    dominates. Copies give psi(L) = 1 throughout, parity 0 until L = n - 1. psi(2) - 2 psi(1) is minus the mean
    O-information of triplets, and n*psi(n-1) = TC + B. (Increments of the joint entropy fall for every system, by Han's
    inequality.)

    Means are over at most 200 random choices of i and S for each L. Samples, bias and NaN are those of
    `binding.higher_order_information`.

    Args:
        states: with a noise floor.
        generator: draws the subsets.
        given: numbers to condition on, or their basis.

    Source: reconstructed after Rosas et al. 2016, 2018, whose tables were not available.
    """
    copula = Copula.of(states, given)
    curve = []
    for size in range(1, copula.experts):
        chosen = _with_one_more(copula.experts, size, generator)
        alone, others = copula.entropy(chosen[:, :1]), copula.entropy(chosen[:, 1:])
        curve.append((alone + others - copula.entropy(chosen)).mean(dim=-1))
    return torch.stack(curve, dim=-1) if curve else copula.joint_entropy.new_empty(len(states), 0)


def task_information(
    states: Float[Tensor, "population game expert component"],
    targets: Float[Tensor, "population game dim"],
    generator: torch.Generator,
) -> Float[Tensor, "population size"]:
    """The mean information I(T; X_S) between the targets and |S| experts, for |S| = 1..n, in bits.

    Concave: experts have redundant information about the targets. Convex: they have it only jointly. The true value
    never falls with |S|; an estimate may, by its standard deviation.

    Means are over at most 200 random S of each size. Samples, bias and NaN are those of
    `binding.higher_order_information`; the targets count as variables.

    Args:
        states: with a noise floor, which bounds their information.
        targets: of the same games.
        generator: draws the subsets.

    Source: reconstructed from the document's "each new expert brings less and less new information".
    """
    copula = Copula.with_others(states, targets)
    curve = []
    for size in range(1, copula.experts + 1):
        chosen = _subsets(copula.experts, size, generator)
        curve.append(copula.information_about_others(chosen).mean(dim=-1))
    return torch.stack(curve, dim=-1)


def concavity(curve: Float[Tensor, "population size"]) -> Float[Tensor, " population"]:
    """The mean height of a curve over 1..n above the straight line from 0 at size 0 to its end, in the curve's unit.

    Above 0: concave as a whole, redundancy-dominated; below 0: synergy-dominated. NaN where
    the curve is; NaN with a warning for fewer than two sizes.
    """
    sizes = curve.shape[-1]
    if sizes < 2:
        warn_unmeasurable("concavity", "needs two sizes", "fewer")
        return curve.new_full((len(curve),), math.nan)
    line = torch.arange(1, sizes + 1, dtype=curve.dtype, device=curve.device) / sizes * curve[:, -1:]
    return (curve - line)[:, :-1].mean(dim=-1)


def _subsets(experts: int, size: int, generator: torch.Generator) -> Int[Tensor, "subset expert"]:
    if math.comb(experts, size) <= MOST_SUBSETS:
        return torch.tensor(list(combinations(range(experts), size)))
    return _shuffled(experts, generator)[:, :size]


def _with_one_more(experts: int, size: int, generator: torch.Generator) -> Int[Tensor, "subset expert"]:
    """Rows of an expert and `size` others, the expert first."""
    if experts * math.comb(experts - 1, size) <= MOST_SUBSETS:
        rows = [
            [one, *others]
            for one in range(experts)
            for others in combinations([other for other in range(experts) if other != one], size)
        ]
        return torch.tensor(rows)
    return _shuffled(experts, generator)[:, : size + 1]


def _shuffled(experts: int, generator: torch.Generator) -> Int[Tensor, "subset expert"]:
    return torch.rand(MOST_SUBSETS, experts, generator=generator, device=generator.device).argsort(dim=-1).cpu()
