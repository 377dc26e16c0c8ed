"""Hessians whose spectra are known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_sweeps.measures.landscape.saddles import Curvature, Product, curvature, hessian_product
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning

# torch.func.hessian, the oracle, loads what torch itself calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of(matrix: Tensor) -> Product:
    return lambda vector: matrix @ vector


def with_spectrum(values: Tensor, seed: int = 0) -> Tensor:
    n = len(values)
    basis = torch.linalg.qr(torch.randn(n, n, generator=seeded(seed), dtype=torch.float64))[0]
    return basis * values @ basis.T


def check(found: Curvature, matrix: Tensor, count: int = 8) -> None:
    """An eigenvalue lies within its residual of the truth; to second order far closer (residual^2 / gap)."""
    truth = torch.linalg.eigvalsh(matrix.double())
    size = truth.abs().max().item()
    torch.testing.assert_close(found.smallest, truth[:count], rtol=0, atol=1e-5 * size)
    assert found.largest.item() == pytest.approx(truth[-1].item(), abs=1e-5 * size)
    assert (found.residuals <= 1e-5 * size).all()


def test_a_saddle_of_two_weights() -> None:
    """f = (3x^2 - 2y^2)/2."""
    product = hessian_product(lambda w: (3 * w[0] ** 2 - 2 * w[1] ** 2) / 2, torch.tensor([0.3, -0.7]))
    found = curvature(product, 2, seeded())
    assert found.smallest.tolist() == pytest.approx([-2, 3])
    assert found.largest.item() == pytest.approx(3)
    assert found.morse_index.item() == 1
    assert not found.index_is_lower_bound


@pytest.mark.parametrize(("weights", "negative"), [(30, 1), (30, 7), (200, 3)])
def test_the_index_of_saddles_of_many_weights(weights: int, negative: int) -> None:
    values = torch.linspace(0.5, 4, weights, dtype=torch.float64)
    values[:negative] = -torch.linspace(1, 0.1, negative, dtype=torch.float64)
    matrix = with_spectrum(values)
    found = curvature(of(matrix), weights, seeded())
    check(found, matrix)
    assert found.morse_index.item() == negative
    assert not found.index_is_lower_bound


def test_more_negative_eigenvalues_than_were_asked_for() -> None:
    matrix = with_spectrum(torch.linspace(-1, 1, 60, dtype=torch.float64))
    found = curvature(of(matrix), 60, seeded(), count=5)
    assert (found.morse_index.item(), found.index_is_lower_bound) == (5, True)
    found = curvature(of(matrix), 60, seeded(), count=40)  # more than the 21 where all is dense
    assert (found.morse_index.item(), found.index_is_lower_bound) == (30, False)


@pytest.mark.parametrize("weights", [21, 40, 150])
@pytest.mark.parametrize("seed", range(5))
def test_random_symmetric_matrices(weights: int, seed: int) -> None:
    matrix = torch.randn(weights, weights, generator=seeded(seed), dtype=torch.float64)
    matrix = matrix + matrix.T
    check(curvature(of(matrix), weights, seeded(seed)), matrix)


@pytest.mark.parametrize("weights", [1, 2, 8, 9, 10, 17, 18, 20])
def test_few_weights(weights: int) -> None:
    """Fewer than eigsh takes, and all the index can be known of: 12 negative ones of which 8 are asked for."""
    matrix = with_spectrum(torch.linspace(-1.5, 1, weights, dtype=torch.float64))
    found = curvature(of(matrix), weights, seeded())
    check(found, matrix)
    assert len(found.smallest) == len(found.residuals) == min(8, weights)
    assert found.morse_index.item() == (torch.linspace(-1.5, 1, weights) < 0).sum()
    assert not found.index_is_lower_bound


SPECTRA = {
    "zero": [0.0] * 60,
    "positive": [2.0] * 60,
    "negative": [-2.0] * 60,
    "low rank": [5.0, -1, -2] + [0.0] * 57,
    "one": [0.0] * 59 + [-3.0],
    "three": [1.0] * 57 + [-1.0] * 3,
    "half": [1.0] * 30 + [-1.0] * 30,
}


@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_null_spaces_and_equal_eigenvalues(values: list[float]) -> None:
    """Where Krylov spaces end early, and where zero takes most of the spectrum, as in networks with dead units."""
    matrix = torch.diag(torch.tensor(values, dtype=torch.float64))
    found = curvature(of(matrix), 60, seeded())
    check(found, matrix)
    negative = sum(value < 0 for value in values)
    assert found.morse_index.item() == min(8, negative)
    assert found.index_is_lower_bound == (negative >= 8)


def test_a_small_network() -> None:
    generator = seeded(1)
    inputs, targets = torch.randn(30, 3, generator=generator), torch.randn(30, 2, generator=generator)

    def loss(flat: Tensor) -> Tensor:
        first, second = flat[:24].view(8, 3), flat[24:].view(2, 8)
        return ((inputs.to(flat) @ first.T).tanh() @ second.T - targets.to(flat)).square().mean()

    weights = torch.randn(40, generator=generator, dtype=torch.float64)
    matrix = torch.func.hessian(loss)(weights)
    check(curvature(hessian_product(loss, weights), 40, seeded()), matrix)
    # float32 products are rounded to 1e-7 of |H| or so; the accuracy is held to 1.2e-5 of |H| for them.
    single = curvature(hessian_product(loss, weights.float()), 40, seeded())
    size = torch.linalg.matrix_norm(matrix, 2).item()
    torch.testing.assert_close(single.smallest, torch.linalg.eigvalsh(matrix)[:8], rtol=0, atol=1.2e-5 * size)
    assert single.tolerance == pytest.approx(100 * torch.finfo(torch.float32).eps * size, rel=1e-4)


def test_products_are_with_the_hessian() -> None:
    """A recurrent cell, unrolled; and functions without any curvature, which have no graph to go through."""
    cell = torch.nn.GRUCell(2, 3).double()
    names, shapes = zip(*((name, value.shape) for name, value in cell.named_parameters()), strict=True)
    sizes = [shape.numel() for shape in shapes]
    inputs = torch.randn(4, 5, 2, generator=seeded(), dtype=torch.float64)

    def loss(flat: Tensor) -> Tensor:
        parts = {name: part.view(shape) for name, part, shape in zip(names, flat.split(sizes), shapes, strict=True)}
        hidden = torch.zeros(5, 3, dtype=torch.float64)
        for step in inputs:
            hidden = torch.func.functional_call(cell, parts, (step, hidden))
        return hidden.square().sum()

    weights = torch.randn(sum(sizes), generator=seeded(1), dtype=torch.float64)
    matrix, product = torch.func.hessian(loss)(weights), hessian_product(loss, weights)
    for seed in range(3):
        vector = torch.randn(len(weights), generator=seeded(seed), dtype=torch.float64)
        torch.testing.assert_close(product(vector), matrix @ vector)
    for flat in (lambda w: 3 * w.sum(), lambda w: 0 * w.sum() + 1, lambda w: torch.ones(())):
        assert hessian_product(flat, torch.ones(4))(torch.ones(4)).tolist() == [0] * 4


def test_seeded() -> None:
    matrix = with_spectrum(torch.linspace(-1, 1, 80, dtype=torch.float64) ** 3)
    one, same, other = (curvature(of(matrix), 80, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.smallest, same.smallest)
    assert torch.equal(one.residuals, same.residuals)
    assert not torch.equal(one.residuals, other.residuals)


def test_seeded_where_krylov_spaces_end_early() -> None:
    """ARPACK then draws by itself, here for about one seed in eight."""
    low_rank = torch.diag(torch.tensor(SPECTRA["low rank"], dtype=torch.float64))
    for seed in range(40):
        one, same = (curvature(of(low_rank), 60, seeded(seed)) for _ in range(2))
        assert torch.equal(one.residuals, same.residuals)


def test_vectors_of_the_type_that_was_asked_for() -> None:
    matrix = with_spectrum(torch.linspace(-1, 3, 50, dtype=torch.float64)).float()
    found = curvature(of(matrix), 50, seeded(), dtype=torch.float32)
    check(found, matrix, count=8)
    assert found.smallest.dtype == torch.float64


@given(st.integers(0, 1000), st.floats(1e-6, 1e6))
@settings(deadline=None, max_examples=15)
def test_eigenvalues_scale_and_the_index_does_not(seed: int, scale: float) -> None:
    matrix = with_spectrum(torch.linspace(-1, 2, 40, dtype=torch.float64) + 0.01, seed)
    one, other = (curvature(of(factor * matrix), 40, seeded(seed), count=20) for factor in (1, scale))
    torch.testing.assert_close(other.smallest, scale * one.smallest, rtol=1e-6, atol=1e-6 * scale)
    assert one.morse_index == other.morse_index == 13


@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_rounding_makes_no_negative_eigenvalues(noise: float) -> None:
    """A minimum with a flat direction for half of its weights, its products rounded like float32's."""
    matrix = with_spectrum(torch.cat([torch.zeros(50), torch.linspace(0.1, 1, 50)]).double())
    generator = seeded(5)

    def product(vector: Tensor) -> Tensor:
        return (matrix @ vector + noise * torch.randn(100, generator=generator, dtype=torch.float64)).float()

    found = curvature(product, 100, seeded())
    assert found.morse_index.item() == 0
    assert (found.smallest.abs() <= found.tolerance).all()


@pytest.mark.parametrize("weights", [5, 100])
@pytest.mark.parametrize("after", [0, 3])
def test_products_of_nan(weights: int, after: int) -> None:
    calls = 0

    def product(vector: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return vector * (torch.nan if calls > after else 1)

    with pytest.warns(UnmeasurableWarning, match="finite") as warned:
        found = curvature(product, weights, seeded())
    assert len(warned) == 1
    assert len(found.smallest) == min(8, weights)
    for value in (found.smallest, found.largest, found.morse_index, found.residuals):
        assert value.isnan().all()
    assert math.isnan(found.tolerance)
    assert not found.index_is_lower_bound


def test_lanczos_that_does_not_converge() -> None:
    """Nothing but a crowd of eigenvalues, and one restart."""
    matrix = torch.diag(torch.linspace(-1, 1, 2000, dtype=torch.float64))
    with pytest.warns(UnmeasurableWarning, match="converge") as warned:
        found = curvature(of(matrix), 2000, seeded(), restarts=1)
    assert len(warned) == 1
    assert found.smallest.isnan().all()
    assert found.morse_index.isnan()


@pytest.mark.parametrize(("weights", "count"), [(0, 8), (5, 0)])
def test_nothing_to_find(weights: int, count: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        curvature(lambda vector: vector, weights, seeded(), count=count)


def test_a_product_of_another_shape() -> None:
    with pytest.raises(ValueError, match="shape"):
        curvature(lambda vector: vector[:3], 5, seeded())
