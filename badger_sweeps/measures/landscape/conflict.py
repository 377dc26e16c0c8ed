"""Conflict between the gradients of the task's dimensions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.unmeasurable import warn_unmeasurable


class Conflict(NamedTuple):
    """Cosines and norms of the gradients g_d of one loss per dimension; a row for each member."""

    cosines: Float[Tensor, "population dim dim"]
    """cos(g_i, g_j); 1 on the diagonal."""
    conflicting: Float[Tensor, " population"]
    """The share of pairs with a negative cosine."""
    norm: Float[Tensor, " population"]
    """|mean_d g_d|, the gradient norm of the mean loss, in loss per unit of weight."""
    norms: Float[Tensor, "population dim"]
    """|g_d|, in the same unit."""
    norm_ratios: Float[Tensor, "population dim dim"]
    """The smaller over the larger norm of each pair."""
    norm_ratio: Float[Tensor, " population"]
    """The smallest over the largest norm of all dimensions."""
    cancellation: Float[Tensor, " population"]
    """|mean_d g_d| / mean_d |g_d|: 1 if all are parallel, 0 if they cancel, 1/sqrt(D) if orthogonal and equal."""


def conflict(gradients: Float[Tensor, "population dim weight"]) -> Conflict:
    """The conflict between the gradients of the dimensions' losses.

    Two dimensions conflict if the cosine of their gradients is negative, however slightly: for orthogonal gradients
    the sign depends on rounding, so read the share of conflicting pairs together with the cosines. With few games
    sampling noise makes cosines smaller in magnitude (it makes each g_d longer) and may correlate them, since the games
    are shared: these are the cosines of the batch's gradients, not of the expected ones.

    Args:
        gradients: of each dimension's loss with respect to all weights, flattened.

    Returns:
        All NaN for a member with NaN or infinity. The cosines of a zero gradient are NaN and do not count as pairs; its
        norm ratios are 0, or NaN to another zero gradient. The share is NaN without pairs, as for one dimension. The
        ratios and the cancellation are NaN where all gradients are zero.

    Source: Yu et al. 2020, section 2.
    """
    finite = gradients.isfinite().all(dim=(1, 2))
    vectors = torch.where(finite[:, None, None], gradients.detach().double(), torch.nan)
    dims = vectors.shape[1]
    norms = torch.linalg.vector_norm(vectors, dim=2)
    directions = vectors / norms[..., None]  # NaN for zero
    cosines = (directions @ directions.mT).clamp(-1, 1)

    upper = torch.triu_indices(dims, dims, offset=1, device=vectors.device)
    pairs = cosines[:, upper[0], upper[1]]
    conflicting = (pairs < 0).double().sum(dim=1) / (~pairs.isnan()).sum(dim=1)
    if pairs.isnan().any() or dims < 2:
        rule = "needs two dimensions with gradients that are finite and not zero"
        warn_unmeasurable("gradient conflict", rule, "members or pairs without")

    one, other = norms[:, :, None], norms[:, None, :]
    norm = torch.linalg.vector_norm(vectors.mean(dim=1), dim=1)
    return Conflict(
        cosines=cosines,
        conflicting=conflicting,
        norm=norm,
        norms=norms,
        norm_ratios=torch.minimum(one, other) / torch.maximum(one, other),
        norm_ratio=norms.amin(dim=1) / norms.amax(dim=1),
        cancellation=norm / norms.mean(dim=1),
    )
