"""The sharing modes of three experts: information common to all three, to exactly two, and synergy."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.unmeasurable import warn_unmeasurable


class Sharing(NamedTuple):
    """Sharing modes, means over triplets, in bits: TC = U + 2C + S, B = U + C + 2S, O-information = C - S."""

    common: Float[Tensor, " population"]
    """C, shared by all three."""
    pairwise: Float[Tensor, " population"]
    """U, shared by exactly two, summed over the three pairs."""
    synergy: Float[Tensor, " population"]
    """S, held by the three jointly and by no two of them."""


def sharing(
    states: Float[Tensor, "population game expert component"],
    given: Float[Tensor, "population game dim"] | Conditions | None = None,
) -> Sharing:
    """The sharing modes of all triplets of experts: their entropy decomposition, averaged over triplets.

    The equations determine the modes up to one, which is set by C = the smallest of the pairwise mutual informations
    (the minimum-mutual-information choice). Then S = C - O and U = B - C - 2S. The minimum of three estimates lies
    below that of the true values where pairs are similar: C and S are then too low by up to their standard deviation
    (0.02 bits for scalars at 1000 games), U too high by three times that.

    Samples, NaN: see `binding.higher_order_information`. NaN with a warning for fewer than three experts, too.

    Args:
        states: with a noise floor.
        given: numbers to condition on, or their basis.

    Source: Rosas et al. 2016, Entropy 18:38; reconstructed; the choice of C is this project's.
    """
    if states.shape[2] < 3:
        warn_unmeasurable("sharing modes", "need three experts", "fewer")
        missing = torch.full((len(states),), torch.nan, dtype=torch.float64, device=states.device)
        return Sharing(missing, missing, missing)
    copula = Copula.of(states, given)
    three = torch.tensor(list(combinations(range(copula.experts), 3)))
    alone = copula.entropy(torch.arange(copula.experts)[:, None])
    h1, h2, h3 = (alone[:, three[:, place]] for place in range(3))
    h12, h13, h23 = (copula.entropy(three[:, places]) for places in ([0, 1], [0, 2], [1, 2]))
    h123 = copula.entropy(three)
    total = h1 + h2 + h3 - h123
    binding = h12 + h13 + h23 - 2 * h123
    common = torch.stack([h1 + h2 - h12, h1 + h3 - h13, h2 + h3 - h23]).amin(dim=0)
    synergy = common - (total - binding)
    unique = binding - common - 2 * synergy
    return Sharing(common.mean(dim=-1), unique.mean(dim=-1), synergy.mean(dim=-1))
