"""Mutual information by nearest neighbours, against closed forms, scikit-learn and its known collapse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_regression

from badger_sweeps.measures.information import ksg
from badger_sweeps.measures.information.ksg import pairwise
from badger_sweeps.measures.information.mutual_information import pairs
from tests.measures.information.oracles import (
    BITS,
    assert_mean,
    bits_of_correlation,
    correlated_pair,
    equicorrelated,
    no_warning,
    normal,
    one_warning,
    seeded,
)


def by_definition(x: np.ndarray, y: np.ndarray, neighbours: int) -> float:
    """KSG-1 from all distances, in bits: psi(k) + psi(N) - <psi(n_x + 1) + psi(n_y + 1)>."""
    x, y = ((z - z.mean(axis=0)) / z.std(axis=0, ddof=1) for z in (x, y))
    apart = [np.abs(z[:, None] - z[None]).max(axis=-1) for z in (x, y)]
    radius = np.sort(np.maximum(*apart), axis=1)[:, neighbours]
    nats = digamma(neighbours) + digamma(len(x))
    for distances in apart:
        closer = (distances < radius[:, None]).sum(axis=1) - 1
        nats -= digamma(closer + 1).mean()
    return float(nats * BITS)


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("neighbours", [1, 4, 7])
def test_the_definition(components: int, neighbours: int) -> None:
    states = equicorrelated(0.7, 2, 200, 3, components) * torch.tensor([100.0, 1.0, 0.01])[:, None]
    expected = [
        [by_definition(member[:, i].numpy(), member[:, j].numpy(), neighbours) for i, j in pairs(3).tolist()]
        for member in states
    ]
    torch.testing.assert_close(
        pairwise(states, neighbours), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("rho", [0.6, 0.95, -0.8])
def test_scikit_learn_finds_the_same(rho: float) -> None:
    """Its estimate of scalars, which it cuts off at 0 and gives in nats."""
    states = correlated_pair(rho, 5, 400, 1, 1)
    found = pairwise(states)[:, 0]
    for member, value in zip(states.numpy(), found.tolist(), strict=True):
        theirs = mutual_info_regression(member[:, 0], member[:, 1, 0], n_neighbors=4, random_state=0)[0]
        assert value == pytest.approx(theirs * BITS, abs=1e-8)


@pytest.mark.parametrize(
    ("components", "games", "bias"), [(1, 300, 0.01), (1, 1000, 0.01), (2, 300, 0.09), (2, 1000, 0.04)]
)
def test_correlated_gaussians(components: int, games: int, bias: float) -> None:
    """Little bias with one component; with two a tenth is lost at 300 games."""
    found = pairwise(correlated_pair(0.6, 20, games, components, components))[:, 0]
    truth = components * bits_of_correlation(0.6)
    assert_mean(found, truth, bias)
    # 0.09 bits at 300 games and 0.04 at 1000, by the spread of a standard deviation of 20.
    assert found.std() < (0.16 if games == 300 else 0.08)


@pytest.mark.parametrize("components", [1, 2])
def test_independent_experts_share_nothing(components: int) -> None:
    assert_mean(pairwise(normal(40, 300, 2, components))[:, 0], 0.0)


def test_it_sees_what_is_not_monotone() -> None:
    """y = x^2 + 0.3 e: 1.63 bits in one draw; the truth is h(y) - h(0.3 e), integrated here over a grid."""
    x = normal(10, 1000, 1, 1)
    found = pairwise(torch.cat([x, x**2 + 0.3 * normal(10, 1000, 1, 1, seed=1)], dim=2))[:, 0]
    grid = np.linspace(-6, 6, 4001)
    weights = np.exp(-(grid**2) / 2)
    weights /= weights.sum()
    y, step = np.linspace(-2, 25, 2701, retstep=True)
    density = (np.exp(-(((y[:, None] - grid**2) / 0.3) ** 2) / 2) @ weights) / (0.3 * math.sqrt(2 * math.pi))
    entropy = -np.sum(density * np.log2(density + 1e-300)) * step
    truth = entropy - math.log2(0.3 * math.sqrt(2 * math.pi * math.e))
    assert truth == pytest.approx(1.63, abs=0.05)
    assert_mean(found, truth, bias=0.02)


@pytest.mark.parametrize(
    ("dims", "games", "published", "draws"),
    [(4, 300, 0.40, 20), (8, 300, 0.21, 20), (8, 1000, 0.27, 6), (32, 100, 0.04, 20), (32, 300, 0.02, 20)],
)
def test_it_collapses_as_dimensions_grow(
    dims: int, games: int, published: float, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 0.644 bits in two dimensions; which is why more than two components are refused. Published to two digits from
    few draws, each with a standard deviation of 0.03 to 0.09."""
    monkeypatch.setattr(ksg, "MOST_COMPONENTS", dims)
    found = pairwise(correlated_pair(0.6, draws, games, dims, 2))[:, 0]
    assert_mean(found, published, bias=0.03)


def test_more_than_two_components_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 2 components for KSG; found 3"):
        pairwise(normal(1, 50, 2, 3))


def test_it_depends_on_neither_units_nor_the_order_of_experts() -> None:
    states = equicorrelated(0.5, 2, 150, 3, 2)
    found = pairwise(states)
    moved = states * torch.tensor([[1e-6, 3.0], [5.0, 1.0], [1.0, -1e6]]).double() + 7
    torch.testing.assert_close(pairwise(moved), found, rtol=0, atol=1e-6)
    order = [2, 0, 1]
    torch.testing.assert_close(pairwise(states[:, :, order]), found[:, [1, 2, 0]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("levels", [2, 4])
def test_independent_symbols_share_nothing(levels: int) -> None:
    """Ties: without their breaking, a game's neighbours would lie at distance 0 and give -6 bits."""
    states = torch.randint(levels, (10, 1000, 2, 1), generator=seeded()).double()
    # What the plug-in of a table of L x L cells shows by chance, (L - 1)^2/(2N), is below 0.01.
    assert_mean(pairwise(states)[:, 0], 0.0, bias=0.02)


@pytest.mark.parametrize("levels", [2, 4])
def test_equal_symbols_share_their_entropy(levels: int) -> None:
    states = torch.randint(levels, (5, 1000, 1, 1), generator=seeded()).double().expand(-1, -1, 2, -1)
    assert_mean(pairwise(states)[:, 0], math.log2(levels), bias=0.02)


def test_a_population_is_its_members_one_by_one() -> None:
    states = equicorrelated(0.5, 3, 100, 3, 2)
    states[1] = states[1].round()
    together = pairwise(states)
    for member in range(3):
        torch.testing.assert_close(together[member], pairwise(states[member : member + 1])[0], rtol=0, atol=0)


def test_float32() -> None:
    """Ranks of distances may swap at rounding."""
    states = equicorrelated(0.5, 2, 200, 3, 2)
    found = pairwise(states.float())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, pairwise(states.float().double()), rtol=0, atol=0)
    torch.testing.assert_close(found, pairwise(states), rtol=0, atol=1e-3)


@pytest.mark.parametrize("games", [0, 1, 4])
def test_too_few_games(games: int) -> None:
    with one_warning():
        found = pairwise(normal(2, games, 3, 1))
    assert found.shape == (2, 3)
    assert found.isnan().all()
    with no_warning():
        assert pairwise(normal(2, 5, 3, 1)).isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, "constant"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_only_pairs_with_an_expert_that_cannot_be_measured_are_nan(value: float | str, dtype: torch.dtype) -> None:
    states = normal(2, 60, 4, 2).to(dtype)
    clean = pairwise(states)
    if value == "constant":
        states[1, :, 2, 0] = 0.1  # whose mean is not quite 0.1
    else:
        states[1, 7, 2, 0] = value
    with one_warning():
        found = pairwise(states)
    unusable = torch.zeros(2, 6, dtype=torch.bool)
    unusable[1] = (pairs(4) == 2).any(dim=1)
    torch.testing.assert_close(found.isnan(), unusable)
    torch.testing.assert_close(found[~unusable], clean[~unusable], rtol=0, atol=0)


def test_no_pairs() -> None:
    with no_warning():
        assert pairwise(normal(2, 50, 1, 2)).shape == (2, 0)
        assert pairwise(normal(0, 50, 3, 2)).shape == (0, 3)
