"""Gradients whose angles and lengths are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_sweeps.measures.landscape.conflict import conflict
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning


def drawn(population: int, dims: int, weights: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(population, dims, weights, generator=generator, dtype=torch.float64)


def test_two_gradients_by_hand() -> None:
    """g1 = (1, 0), g2 = (-1, 1): cos = -1/sqrt 2, norms 1 and sqrt 2, mean gradient (0, 1/2)."""
    found = conflict(torch.tensor([[[1.0, 0], [-1, 1]]]))
    root = math.sqrt(2)
    torch.testing.assert_close(found.cosines, torch.tensor([[[1, -1 / root], [-1 / root, 1]]]).double())
    torch.testing.assert_close(found.norm_ratios, torch.tensor([[[1, 1 / root], [1 / root, 1]]]).double())
    assert found.conflicting.item() == 1
    assert found.norms.tolist()[0] == pytest.approx([1, root])
    assert found.norm.item() == pytest.approx(0.5)
    assert found.norm_ratio.item() == pytest.approx(1 / root)
    assert found.cancellation.item() == pytest.approx(1 / (1 + root))


@pytest.mark.parametrize("dims", [2, 3, 5])
def test_aligned_orthogonal_and_cancelling_gradients(dims: int) -> None:
    line = torch.randn(50, generator=torch.Generator().manual_seed(0))
    aligned = line * torch.arange(1, dims + 1)[:, None]
    orthogonal = torch.eye(dims, 50) * 3
    # The corners of a simplex about 0: all cosines -1/(D - 1), and they cancel.
    simplex = torch.eye(dims, 50)
    simplex = simplex - simplex.mean(dim=0)
    found = conflict(torch.stack([aligned, orthogonal, simplex]))
    for cosines, truth in zip(found.cosines, (1, 0, -1 / (dims - 1)), strict=True):
        others = cosines[~torch.eye(dims, dtype=torch.bool)]
        torch.testing.assert_close(others, torch.full_like(others, truth), rtol=1e-6, atol=1e-7)
    assert found.conflicting.tolist() == [0, 0, 1]
    assert found.norm_ratio.tolist() == pytest.approx([1 / dims, 1, 1])
    # Corners in float32 cancel to its epsilon.
    assert found.cancellation.tolist() == pytest.approx([1, 1 / math.sqrt(dims), 0], abs=1e-6)


def test_interference_of_the_two_dimensional_bandit() -> None:
    """science.md, section 10: the gradients of u_1 and u_2 have the Gram matrix [[4, -2], [-2, 4]]: cosine -1/2. The
    weights are W[s, a] row by row, then b."""
    advantages = [[1.0, -1, 0, 0, 1, -1], [0, 0, -1, 1, -1, 1]]
    found = conflict(torch.tensor([advantages]))
    assert found.norms.tolist() == [[2, 2]]
    assert found.cosines[0, 0, 1].item() == pytest.approx(-0.5)


def test_the_share_counts_each_pair_once() -> None:
    """Of 1, 1, -1 along a line two of three pairs conflict; of 1, 1, 1, -1 three of six."""
    line = torch.ones(1, 1, 7)
    three, four = torch.tensor([1.0, 1, -1]), torch.tensor([1.0, 1, 1, -1])
    assert conflict(line * three[None, :, None]).conflicting.item() == pytest.approx(2 / 3)
    assert conflict(line * four[None, :, None]).conflicting.item() == pytest.approx(1 / 2)


def test_against_numpy_and_autograd() -> None:
    """Cosines of the losses' gradients of a linear map, from numpy, and the mean loss's gradient norm from autograd."""
    generator = torch.Generator().manual_seed(3)
    inputs, targets = torch.randn(40, 6, generator=generator), torch.randn(40, 4, generator=generator)
    weights = torch.randn(6, generator=generator).requires_grad_()
    losses = ((inputs @ weights).tanh()[:, None] - targets).square().mean(dim=0)
    gradients = torch.stack([torch.autograd.grad(loss, weights, retain_graph=True)[0] for loss in losses])
    (mean,) = torch.autograd.grad(losses.mean(), weights)
    found = conflict(gradients[None])
    normal = gradients.double().numpy() / np.linalg.norm(gradients.double().numpy(), axis=1, keepdims=True)
    np.testing.assert_allclose(found.cosines[0], normal @ normal.T, atol=1e-12)
    assert found.norm.item() == pytest.approx(mean.norm().item(), rel=1e-5)


def test_random_directions_have_cosines_around_zero() -> None:
    """In n dimensions cosines of random directions have mean 0 and deviation 1/sqrt n; half of the pairs conflict."""
    members, weights = 2000, 25
    found = conflict(drawn(members, 2, weights))
    cosines = found.cosines[:, 0, 1]
    assert abs(cosines.mean().item()) < 4 / math.sqrt(weights * members)
    assert cosines.std().item() == pytest.approx(1 / math.sqrt(weights), rel=4 / math.sqrt(2 * members))
    assert found.conflicting.mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(members))


@given(st.integers(0, 10_000), st.floats(1e-6, 1e6), st.permutations(range(4)))
@settings(deadline=None, max_examples=30)
def test_scale_rotation_and_the_order_of_dimensions_do_not_matter(seed: int, scale: float, order: list[int]) -> None:
    gradients = drawn(3, 4, 9, seed)
    rotation = torch.linalg.qr(drawn(1, 9, 9, seed + 1)[0])[0]
    one, other = conflict(gradients), conflict(scale * gradients[:, order] @ rotation)
    torch.testing.assert_close(other.cosines, one.cosines[:, order][:, :, order], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(other.norm_ratio, one.norm_ratio)
    torch.testing.assert_close(other.cancellation, one.cancellation)
    torch.testing.assert_close(other.norm, scale * one.norm)
    assert ((one.cancellation >= 0) & (one.cancellation <= 1)).all()


def test_each_member_for_itself_and_in_either_precision() -> None:
    gradients = drawn(5, 4, 300)
    together, single = conflict(gradients), conflict(gradients.float())
    for name, values in together._asdict().items():
        alone = torch.cat([getattr(conflict(gradients[[p]]), name) for p in range(5)])
        torch.testing.assert_close(values, alone, rtol=1e-12, atol=1e-12)
        assert values.dtype == torch.float64
        torch.testing.assert_close(getattr(single, name), values, rtol=1e-5, atol=1e-6)


def test_a_zero_gradient_has_no_direction() -> None:
    gradients = torch.tensor([[[1.0, 0], [0, 0], [-1, 0]], [[0, 0], [0, 0], [0, 0]], [[1, 0], [1, 0], [1, 1]]])
    with pytest.warns(UnmeasurableWarning, match="conflict") as warned:
        found = conflict(gradients)
    assert len(warned) == 1
    nan = math.nan
    np.testing.assert_allclose(found.cosines[0], [[1, nan, -1], [nan, nan, nan], [-1, nan, 1]])
    np.testing.assert_allclose(found.conflicting, [1, nan, 0])
    np.testing.assert_allclose(found.norm_ratios[0], [[1, 0, 1], [0, nan, 0], [1, 0, 1]])
    np.testing.assert_allclose(found.norm_ratio, [0, nan, 1 / math.sqrt(2)])
    np.testing.assert_allclose(found.cancellation[:2], [0, nan])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_members_with_nan(bad: float) -> None:
    gradients = drawn(3, 4, 20)
    whole = conflict(gradients)
    gradients[1, 2, 5] = bad
    with pytest.warns(UnmeasurableWarning) as warned:
        found = conflict(gradients)
    assert len(warned) == 1
    for name, values in found._asdict().items():
        assert values[1].isnan().all()
        assert torch.equal(values[[0, 2]], getattr(whole, name)[[0, 2]])


def test_one_dimension_has_no_pairs() -> None:
    with pytest.warns(UnmeasurableWarning):
        found = conflict(torch.ones(2, 1, 4))
    assert found.conflicting.isnan().all()
    assert found.cosines.flatten().tolist() == [1, 1]
    assert found.norm.tolist() == [2, 2]
    assert found.norm_ratio.tolist() == found.cancellation.tolist() == [1, 1]
