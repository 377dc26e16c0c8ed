"""Higher-order information of experts with a few discrete states: exact, from their joint distribution."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.measures.information.binding import HigherOrderInformation
from badger_sweeps.measures.unmeasurable import warn_unmeasurable

GAMES_PER_CELL = 10
"""Games per cell of a joint distribution: the bias of an entropy is then below 0.08 bits."""


def higher_order_information(distribution: Float[Tensor, "population ..."]) -> HigherOrderInformation:
    """Binding information, total correlation and O-information of a joint distribution; exact.

    Args:
        distribution: probabilities, one axis for each expert's alphabet after the population; sums to 1.

    Units: bits. Copies of a bit have B = 1 and TC = n - 1, the parity of n bits B = n - 1 and TC = 1. NaN with a
    warning for a member whose probabilities are negative, not finite, or do not sum to 1.

    Source: see `binding.higher_order_information`.
    """
    table = distribution.double()
    axes = tuple(range(1, table.ndim))
    proper = (table >= 0).all(dim=axes) & ((table.sum(dim=axes) - 1).abs() < 1e-6) if axes else table != table
    if not proper.all():
        warn_unmeasurable("discrete higher-order information", "needs probabilities that sum to 1", "a member without")
    joint = _entropy(table)
    without_each = torch.stack([_entropy(table.sum(dim=axis)) for axis in axes])
    alone = torch.stack(
        [
            _entropy(table.sum(dim=[other for other in axes if other != axis])) if len(axes) > 1 else joint
            for axis in axes
        ]
    )
    residual = (joint - without_each).sum(dim=0)
    total, binding = alone.sum(dim=0) - joint, joint - residual
    found = HigherOrderInformation(binding, total, residual, total - binding, joint)
    return HigherOrderInformation(*(torch.where(proper, value, torch.nan) for value in found))


def joint_distribution(
    symbols: Int[Tensor, "population game expert"], alphabet: int
) -> Float[Tensor, "population ..."]:
    """The joint distribution of symbols: the share of games with each combination.

    Entropies of the shares fall short by about (cells - 1)/(2 N ln 2) bits, which is multiplied in B: 16 independent
    bits at 1000 games have B = 9.7 bits where the truth is 0. Ten games are therefore required for each of the
    alphabet^experts cells (six binary experts need 640); NaN with a warning for fewer.

    Args:
        symbols: from 0 to alphabet - 1.
        alphabet: number of symbols.

    Raises:
        ValueError: a symbol is not within the alphabet.
    """
    population, games, experts = symbols.shape
    if symbols.numel() and not (int(symbols.min()) >= 0 and int(symbols.max()) < alphabet):
        raise ValueError(
            f"`symbols` must be from 0 to {alphabet - 1}; found {int(symbols.min())}..{int(symbols.max())}"
        )
    shape = (population, *(alphabet,) * experts)
    cells = alphabet**experts
    if games < GAMES_PER_CELL * cells:
        rule = f"needs {GAMES_PER_CELL} games for each combination of symbols"
        warn_unmeasurable("discrete higher-order information", rule, f"{games} games, {cells} combinations")
        return torch.full(shape, torch.nan, dtype=torch.float64, device=symbols.device)
    digits = alphabet ** torch.arange(experts - 1, -1, -1, device=symbols.device)
    cell = (symbols * digits).sum(dim=-1)
    counts = torch.zeros(population, cells, dtype=torch.float64, device=symbols.device)
    counts.scatter_add_(1, cell, torch.ones_like(cell, dtype=torch.float64))
    return (counts / games).view(shape)


def _entropy(table: Float[Tensor, "population ..."]) -> Float[Tensor, " population"]:
    bits: Tensor = torch.special.xlogy(table, table) / -math.log(2)
    return bits[..., None].flatten(1).sum(dim=1)
