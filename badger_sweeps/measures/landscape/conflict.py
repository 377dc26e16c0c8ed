"""Whether the dimensions of the task pull the weights in opposite directions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.unmeasurable import warn_unmeasurable


class Conflict(NamedTuple):
    """How the gradients g_d of one loss per dimension relate, a row for each member."""

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
    """|mean_d g_d| / mean_d |g_d|: 1 if all pull the same way, 0 if they cancel, 1/sqrt(D) if orthogonal and equal."""


def conflict(gradients: Float[Tensor, "population dim weight"]) -> Conflict:
    """Conflict between the gradients of the dimensions' losses (Yu et al. 2020, section 2).

    Two dimensions conflict if the cosine of their gradients is negative, however slightly: for orthogonal gradients
    the sign is a matter of rounding, so read the share of conflicting pairs beside the cosines. On few games sampling
    noise makes cosines smaller in magnitude (it lengthens each g_d) and, as the games are shared, may correlate them;
    these are the cosines of the batch's gradients, not of the expected ones.

    Args:
        gradients: of each dimension's own loss with respect to all weights, flattened.

    Returns:
        All NaN for a member with NaN or infinity. A zero gradient has no direction: NaN cosines, which do not count as
        pairs; its norm ratios are 0, or NaN to another zero. The share is NaN where no pair is left, as for one
        dimension. The ratios and the cancellation are NaN where all gradients are zero.
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
