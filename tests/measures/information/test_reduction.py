"""Principal components of states whose covariance is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_sweeps.measures.information.mutual_information import pairwise
from badger_sweeps.measures.information.reduction import Basis, captured_variance, pooled_basis, project
from tests.measures.information.oracles import no_warning, normal, one_warning


def rotation(hidden: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(normal(hidden, hidden, seed=seed))[0]


def with_variances(variances: list[float], population: int = 1, games: int = 500, seed: int = 0) -> Tensor:
    """States whose pooled sample covariance has exactly these eigenvalues, in directions of a rotation."""
    rows = normal(population, games * 3, len(variances), seed=seed)
    rows = rows - rows.mean(dim=1, keepdim=True)
    white = torch.linalg.qr(rows)[0] * math.sqrt(games * 3 - 1)
    scaled = white * torch.tensor(variances, dtype=torch.float64).sqrt() @ rotation(len(variances)).T
    return (scaled + 5).view(population, games, 3, -1)


@pytest.mark.parametrize("components", [1, 2, 3, 4, 5, 7])
def test_captured_variance_is_the_share_of_the_leading_eigenvalues(components: int) -> None:
    variances = [8.0, 4.0, 2.0, 1.0, 0.5]
    states = with_variances(variances, population=2)
    basis = pooled_basis(states, components)
    expected = sum(variances[:components]) / sum(variances)
    assert captured_variance(states, project(states, basis)).tolist() == pytest.approx([expected] * 2, abs=1e-10)


def test_directions_are_those_of_the_covariance_by_falling_variance() -> None:
    variances = [0.5, 8.0, 1.0, 4.0]
    basis = pooled_basis(with_variances(variances), 3)
    overlap = (rotation(4)[:, [1, 3, 2]] * basis.directions[0]).sum(dim=0)
    assert overlap.abs().tolist() == pytest.approx([1, 1, 1], abs=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(hidden=st.integers(1, 12), components=st.integers(1, 12), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_a_basis_is_orthonormal(dtype: torch.dtype, hidden: int, components: int, seed: int) -> None:
    basis = pooled_basis(normal(2, 20, 3, hidden, seed=seed).to(dtype), components)
    kept = min(components, hidden)
    assert basis.directions.shape == (2, hidden, kept)
    assert basis.directions.dtype == basis.mean.dtype == dtype
    gram = (basis.directions.mT @ basis.directions).double()
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(gram, torch.eye(kept).double().expand(2, -1, -1), rtol=0, atol=tolerance)


@pytest.mark.parametrize("components", [5, 6, 100])
def test_with_as_many_components_as_units_states_are_only_centred(components: int) -> None:
    states = normal(2, 50, 3, 5) + 4
    centred = states - states.mean(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(project(states, pooled_basis(states, components)), centred, rtol=0, atol=1e-12)


def test_coordinates_have_the_variances_and_are_uncorrelated() -> None:
    states = with_variances([8.0, 4.0, 2.0, 1.0])
    rows = project(states, pooled_basis(states, 3)).flatten(1, 2)[0]
    torch.testing.assert_close(torch.cov(rows.T), torch.diag(torch.tensor([8.0, 4.0, 2.0]).double()))
    torch.testing.assert_close(rows.mean(dim=0), torch.zeros(3).double(), rtol=0, atol=1e-10)


def test_one_basis_serves_all_experts_and_other_states() -> None:
    """It is kept while states change: coordinates of other states are taken from the same origin."""
    states, later = normal(1, 50, 3, 5), normal(1, 20, 4, 5, seed=1)
    basis = pooled_basis(states, 2)
    expected = (later - states.mean(dim=(1, 2))) @ basis.directions[0]
    torch.testing.assert_close(project(later, basis), expected)
    share = captured_variance(later, project(later, basis))
    rows = later.flatten(1, 2)[0]
    assert share.item() == pytest.approx(
        ((rows @ basis.directions[0]).var(dim=0).sum() / rows.var(dim=0).sum()).item(), abs=1e-12
    )


def test_captured_variance_of_a_basis_that_misses_all() -> None:
    states = torch.zeros(1, 50, 2, 3, dtype=torch.float64)
    states[..., 0] = normal(1, 50, 2)
    basis = Basis(torch.zeros(1, 3).double(), torch.eye(3).double()[None, :, 1:])
    assert captured_variance(states, project(states, basis)).tolist() == [0]


def test_reduction_keeps_the_information_that_lies_in_it() -> None:
    """States of rank 3 in 10 dimensions: three components hold what the first three coordinates hold. Rotated
    coordinates have other ranks: the two differ by less than 0.05 bits of 2, a standard deviation of either."""
    latent = normal(4, 1000, 3, 3)
    latent[:, :, 1] = 0.8 * latent[:, :, 0] + 0.6 * latent[:, :, 1]
    states = latent * torch.tensor([3.0, 2.0, 1.0]).double() @ rotation(10)[:3]
    reduced = project(states, pooled_basis(states, 3))
    torch.testing.assert_close(pairwise(reduced), pairwise(latent), rtol=0, atol=0.05)


def test_a_population_is_its_members_one_by_one() -> None:
    states = normal(3, 40, 4, 6)
    basis = pooled_basis(states, 2)
    coordinates, captured = project(states, basis), captured_variance(states, project(states, basis))
    for member in range(3):
        one = states[member : member + 1]
        alone = pooled_basis(one, 2)
        torch.testing.assert_close(alone.directions[0], basis.directions[member], rtol=0, atol=1e-12)
        torch.testing.assert_close(project(one, alone)[0], coordinates[member], rtol=0, atol=1e-12)
        assert captured_variance(one, project(one, alone)).item() == pytest.approx(captured[member].item(), abs=1e-12)


def test_float32() -> None:
    states = with_variances([8.0, 4.0, 2.0, 1.0])
    basis, single = pooled_basis(states, 2), pooled_basis(states.float(), 2)
    sign = (basis.directions * single.directions).sum(dim=1).sign()
    torch.testing.assert_close(
        project(states.float(), single).double() * sign, project(states, basis), rtol=0, atol=2e-5
    )
    captured = captured_variance(states.float(), project(states.float(), single))
    assert captured.dtype == torch.float64
    torch.testing.assert_close(captured, captured_variance(states, project(states, basis)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("components", [2, 6])
def test_states_that_are_not_finite_are_nan_for_their_member_only(value: float, components: int) -> None:
    states = normal(3, 40, 4, 6)
    clean = pooled_basis(states, components)
    states[1, 3, 2, 1] = value
    with one_warning():
        basis = pooled_basis(states, components)
    assert basis.mean.isnan().any(dim=1).tolist() == [False, True, False]
    assert project(states, basis)[1].isnan().all()
    torch.testing.assert_close(basis.directions[[0, 2]], clean.directions[[0, 2]], rtol=0, atol=1e-12)
    with one_warning():
        assert captured_variance(states, project(states, clean)).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_states_have_no_variance_to_capture(dtype: torch.dtype) -> None:
    """Nor one made of rounding: a mean of 0.1s is not quite 0.1."""
    states = normal(2, 1000, 4, 6).to(dtype)
    basis = pooled_basis(states, 2)
    states[0] = (torch.arange(1, 7, dtype=torch.float64) * 0.1).to(dtype)
    with one_warning():
        assert captured_variance(states, project(states, basis)).isnan().tolist() == [True, False]


def test_what_can_be_measured_raises_no_warning() -> None:
    with no_warning():
        states = normal(2, 40, 4, 6)
        captured_variance(states, project(states, pooled_basis(states, 3)))
