"""Reduction of states to principal components: one basis for all experts, which can be kept fixed over training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

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
    hidden = states.shape[-1]
    rows = states.flatten(1, 2).double()
    usable = rows.isfinite().all(dim=(1, 2))
    if not usable.all():
        warn_unmeasurable("pooled basis", "needs finite states", "a member without")
    mean = torch.where(usable[:, None], rows.mean(dim=1), torch.nan)
    if components >= hidden:
        directions = torch.eye(hidden, dtype=torch.float64, device=states.device).expand(len(states), -1, -1)
    else:
        covariance = torch.where(usable[:, None, None], _covariance(rows), 0.0)
        directions = torch.linalg.eigh(covariance).eigenvectors[:, :, -components:].flip(-1)
    directions = torch.where(usable[:, None, None], directions, torch.nan)
    return Basis(mean.to(states), directions.to(states))


def project(
    states: Float[Tensor, "population game expert hidden"], basis: Basis
) -> Float[Tensor, "population game expert component"]:
    """The coordinates of the states in the basis, relative to its mean."""
    centred = states - basis.mean[:, None, None]
    return torch.einsum("pgeh,phc->pgec", centred, basis.directions)


def captured_variance(
    states: Float[Tensor, "population game expert hidden"], reduced: Float[Tensor, "population game expert component"]
) -> Float[Tensor, " population"]:
    """The share of the states' variance that their projection on a basis retains; 0 to 1.

    NaN with a warning for a member whose states are constant or not finite.
    """
    retained, total = (_deviation(values) for values in (reduced, states))
    usable = total.isfinite() & (total > 4 * torch.finfo(states.dtype).eps * _length(states))
    if not usable.all():
        warn_unmeasurable("captured variance", "needs finite states that vary", "a member without")
    return torch.where(usable, (retained / total).square(), torch.nan)


def _deviation(states: Float[Tensor, "population game expert component"]) -> Float[Tensor, " population"]:
    """The norm of all deviations from the mean state; one member after another, since each fits into the cache."""
    return torch.cat([_length(rows - rows.mean(dim=(1, 2), keepdim=True)) for rows in states[:, None]])


def _length(states: Float[Tensor, "population game expert component"]) -> Float[Tensor, " population"]:
    length: Tensor = torch.linalg.vector_norm(states.flatten(1), dim=1, dtype=torch.float64)
    return length


def _covariance(rows: Float[Tensor, "population row hidden"]) -> Float[Tensor, "population hidden hidden"]:
    centred = rows - rows.mean(dim=1, keepdim=True)
    return centred.mT @ centred / (rows.shape[1] - 1)
