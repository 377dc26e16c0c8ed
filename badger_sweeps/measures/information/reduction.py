"""Reduction of states to principal components: one basis for all experts, which can be kept fixed over training."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.one_by_one import one_by_one
from badger_sweeps.measures.unmeasurable import warn_unmeasurable


class Basis(NamedTuple):
    """A mean and directions in the space of hidden states, for each member."""

    mean: Float[Tensor, "population hidden"]
    directions: Float[Tensor, "population hidden component"]
    """Orthonormal columns, by falling variance."""


def pooled_basis(states: Float[Tensor, "population game expert hidden"], components: int) -> Basis:
    """The leading principal components of the pooled states of all experts, which share one policy.

    If each measurement had another basis, mutual information would change with the basis: compute one and keep it
    (`captured_variance` measures how much of the states it contains). Where `components` is at least the number of
    hidden units, the basis is the identity. NaN with a warning for a member with states that are not finite.

    Source: principal component analysis; pooling over experts is this project's choice.
    """
    members = [_basis_of_one(one.flatten(0, 1), components) for one in states]  # float64 of all would fill memory
    if not all(basis.mean.isfinite().all() for basis in members):
        warn_unmeasurable("pooled basis", "needs finite states", "a member without")
    means, directions = zip(*members, strict=True)
    return Basis(torch.stack(means).to(states), torch.stack(directions).to(states))


def _basis_of_one(states: Float[Tensor, "row hidden"], components: int) -> Basis:
    """The basis of one member's states, in float64; NaN if they are not finite."""
    rows, hidden = states.double(), states.shape[-1]
    usable = bool(rows.isfinite().all())
    mean = rows.mean(dim=0) if usable else rows.new_full((hidden,), math.nan)
    if not usable:
        return Basis(mean, rows.new_full((hidden, min(components, hidden)), math.nan))
    if components >= hidden:
        return Basis(mean, torch.eye(hidden, dtype=torch.float64, device=states.device))
    centred = rows - mean
    covariance = centred.mT @ centred / (len(rows) - 1)
    return Basis(mean, torch.linalg.eigh(covariance).eigenvectors[:, -components:].flip(-1))


def project(
    states: Float[Tensor, "population game expert hidden"], basis: Basis
) -> Float[Tensor, "population game expert component"]:
    """The coordinates of the states in the basis, relative to its mean."""
    return one_by_one(_project, states, *basis)


def _project(states: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    return torch.einsum("pgeh,phc->pgec", states - mean[:, None, None], directions)


def captured_variance(
    states: Float[Tensor, "population game expert hidden"], reduced: Float[Tensor, "population game expert component"]
) -> Float[Tensor, " population"]:
    """The share of the states' variance that their projection on a basis retains; 0 to 1.

    NaN with a warning for a member whose states are constant or not finite.
    """
    (retained, _), (total, length) = (_deviation(values) for values in (reduced, states))
    usable = total.isfinite() & (total > 4 * torch.finfo(states.dtype).eps * length)
    if not usable.all():
        warn_unmeasurable("captured variance", "needs finite states that vary", "a member without")
    return torch.where(usable, (retained / total).square(), torch.nan)


def _deviation(
    states: Float[Tensor, "population game expert component"],
) -> tuple[Float[Tensor, " population"], Float[Tensor, " population"]]:
    """The norms of all deviations from the mean state, and of all states."""
    rows = states.flatten(1, 2)
    mean = rows.mean(dim=1)
    # One member after another, since each fits into the cache.
    norms = [
        torch.linalg.vector_norm(one - of_one, dtype=torch.float64) for one, of_one in zip(rows, mean, strict=True)
    ]
    deviation = torch.stack(norms)
    return deviation, torch.hypot(deviation, mean.double().norm(dim=1) * math.sqrt(rows.shape[1]))
