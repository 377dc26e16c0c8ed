"""What one more expert brings: new information about the others, and about the targets, as their number grows."""

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
"""Subsets of each size; all of them where there are no more."""


def shared_with_others(
    states: Float[Tensor, "population game expert component"],
    generator: torch.Generator,
    given: Float[Tensor, "population game dim"] | Conditions | None = None,
) -> Float[Tensor, "population size"]:
    """psi(L), the mean information I(X_i; X_S) between an expert and L others, for L = 1..n-1.

    Concave (`concavity` above 0): each further expert tells less that is new, redundancy dominates. Convex: synergy
    does. Copies give psi(L) = 1 throughout, parity 0 until L = n - 1. psi(2) - 2 psi(1) is minus the mean O-information
    of triplets, and n*psi(n-1) = TC + B. (Increments of the joint entropy would fall for every system, by Han's
    inequality, and tell nothing.)

    Units: bits. Mean over at most 200 random choices of i and S for each L. Samples, bias and failures are those of
    `binding.organisation`.

    Args:
        states: read with a noise floor.
        generator: draws the subsets.
        given: what is conditioned on; `Conditions` where the same is so again.

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
    """I(T; X_S), the mean information between the targets and |S| experts, for |S| = 1..n.

    Concave: experts repeat what others know of the targets. Convex: they know it only together. It never falls with
    |S|, but for the spread of its estimate.

    Units: bits. Mean over at most 200 random S of each size. Samples, bias and failures are those of
    `binding.organisation`; the targets count among the variables.

    Args:
        states: read with a noise floor, which bounds what they can tell.
        targets: of the same games.
        generator: draws the subsets.

    Source: reconstructed; the closest to the 2020 study's "each new expert brings less and less new information".
    """
    copula = Copula.with_others(states, targets)
    curve = []
    for size in range(1, copula.experts + 1):
        chosen = _subsets(copula.experts, size, generator)
        curve.append(copula.told_about_others(chosen).mean(dim=-1))
    return torch.stack(curve, dim=-1)


def concavity(curve: Float[Tensor, "population size"]) -> Float[Tensor, " population"]:
    """How far a curve over 1..n, which starts from 0 at size 0, lies above the straight line to its end, on average.

    In the curve's unit. Above 0: concave as a whole, redundancy-dominated; below 0: synergy-dominated. NaN where
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
    """An expert and `size` others in each row, the expert first."""
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
