"""Sequentiality: whether the dimensions of the task are learned together or one after another."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.unmeasurable import warn_unmeasurable


class SequentialityScores(NamedTuple):
    """Sequentiality of learning and drops of each member, means over pairs of dimensions; dimensionless."""

    sequentiality: Float[Tensor, " population"]
    """S, 0 to 1: 0 if both always had the same error, 1 if one was solved before the other began to fall."""
    reached: Float[Tensor, " population"]
    """The largest J_i + J_j, 0 to 2: the upper end of the integral S. Below 2 learning did not finish."""
    suppression: Float[Tensor, " population"]
    """The largest drop of the loser until the difference of the two is largest."""
    drops: Float[Tensor, "population dim"]
    """Each dimension's largest drop of J_d below an earlier value, over the whole run."""


def sequentiality(loss_dim: Float[Tensor, "population time dim"], block: int = 1) -> SequentialityScores:
    """The sequentiality S of learning in pairs of dimensions, and the suppression of one by the other; dimensionless.

    J_d = 1 - loss_d, the share of dimension d that is solved, and S = integral of |J_1 - J_2| d(J_1 + J_2) from 0 to 2,
    along straight lines between the points, wherever J_1 + J_2 exceeds all earlier values: a part that is forgotten and
    learned again counts once. For more than two dimensions the mean over pairs is this project's extension: 1 if they
    are learned one by one, 2/D if one is learned first and then all others together.

    S is not renormalised. Where learning did not finish it is the integral up to r, at most r^2/2 for r = `reached` up
    to 1 and 1 - (2 - r)^2/2 beyond: compare S between members with similar r. Learning before the first point is
    not counted. "All outputs equal to the targets' mean" moves all J_d together, and counts as learned together.

    The suppression of a pair is that of its loser, the dimension that is behind when |J_1 - J_2| is largest: its
    largest drop from an earlier value until then. Ray interference predicts that it is above 0.

    Bias: noise moves S away from 0 and 1. With standard deviation s in each J_d, independent between points, dimensions
    learned together have S = 1.8*s and dimensions learned one by one about 1 - 2*s (50 to 1000 points); without any
    true drop, drops and suppression are 4 to 6 times s. Average the noise with a `block` that is short against the time
    in which a dimension is learned; ignore a drop below 6*s.

    Args:
        loss_dim: the normalised error of each dimension (chance = 1) at each time. For S errors above 1 count as 1, so
            that it stays between 0 and 1; for drops they do not.
        block: times per block mean; an incomplete block at the end is not used.

    Returns:
        All NaN for a member with NaN or infinity, for fewer than two blocks, and for one dimension (whose `drops`
        are given).

    Source: reconstructed after Schaul et al. 2019.
    """
    if block < 1:
        raise ValueError(f"block must be at least 1; found {block}")
    population, moments, dims = loss_dim.shape
    blocks = moments // block
    finite = loss_dim.isfinite().all(dim=(1, 2))
    if blocks < 2 or dims < 2 or not finite.all():
        warn_unmeasurable("sequentiality", "needs two blocks and two dimensions of finite errors", "members without")
    if blocks < 2:
        missing = torch.full((population,), torch.nan, dtype=torch.float64, device=loss_dim.device)
        return SequentialityScores(missing, missing, missing, missing[:, None].repeat(1, dims))
    whole = loss_dim.detach().double()[:, : blocks * block]
    solved = 1 - whole.reshape(population, blocks, block, dims).mean(dim=2)
    solved = torch.where(finite[:, None, None], solved, torch.nan)

    drops = solved.cummax(dim=1).values - solved
    pairs = [_pair(solved[..., [i, j]], drops[..., [i, j]]) for i, j in combinations(range(dims), 2)]
    means = torch.stack(pairs).mean(dim=0) if pairs else solved.new_full((3, population), torch.nan)
    return SequentialityScores(means[0], means[1], means[2], drops.amax(dim=1))


def _pair(
    solved: Float[Tensor, "population time 2"], drops: Float[Tensor, "population time 2"]
) -> Float[Tensor, "3 population"]:
    """S, the upper end of its integral, and the suppression of the loser."""
    gap = (solved[..., 0] - solved[..., 1]).abs()
    latest = gap.argmax(dim=1, keepdim=True)
    loser = solved.gather(1, latest[..., None].expand(-1, -1, 2)).argmin(dim=2, keepdim=True)
    until = torch.arange(gap.shape[1], device=gap.device) <= latest
    of_loser = drops.gather(2, loser.expand(-1, gap.shape[1], -1)).squeeze(2)
    suppression = (of_loser * until).amax(dim=1)

    solved = solved.clamp(0, 1)
    total, difference = solved.sum(dim=2), solved[..., 0] - solved[..., 1]
    highest = total.cummax(dim=1).values
    before, after = total[:, :-1], total[:, 1:]
    # Only the part of a step beyond the highest total so far counts; the line enters it at the share `enters`.
    beyond = (after - highest[:, :-1]).clamp(min=0)
    enters = 1 - beyond / (after - before).where(beyond > 0, 1)
    first = difference[:, :-1].lerp(difference[:, 1:], enters)
    area = (beyond * _mean_magnitude(first, difference[:, 1:])).sum(dim=1)
    return torch.stack([area, highest[:, -1], suppression])


def _mean_magnitude(first: Float[Tensor, "*shape"], last: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The mean of |x| while x moves from first to last at constant speed; the two may differ in sign."""
    sizes = first.abs() + last.abs()
    crossing = (first.square() + last.square()) / (2 * sizes).where(sizes > 0, 1)
    return torch.where(first * last < 0, crossing, sizes / 2)
