"""The sharing modes of triplets, where they are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from badger_sweeps.measures.information.binding import higher_order_information
from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.information.mutual_information import pairwise
from badger_sweeps.measures.information.sharing import Sharing, sharing
from tests.measures.information.oracles import (
    BITS,
    assert_mean,
    bits_of_correlation,
    equicorrelated,
    equicorrelation,
    exactly,
    gaussian,
    no_warning,
    normal,
    one_warning,
    seeded,
)


@pytest.fixture
def of_covariance(monkeypatch: pytest.MonkeyPatch):
    """Sharing modes of a covariance that is known, without samples."""

    def modes(covariance: Tensor, experts: int, components: int = 1) -> list[float]:
        with monkeypatch.context() as patch:
            patch.setattr(Copula, "of", lambda states, given: exactly(covariance, experts, components))
            return [value.item() for value in sharing(normal(1, 4, experts, components))]

    return modes


@pytest.mark.parametrize(("rho", "common", "synergy"), [(0.5, 0.14384, 0.05889), (-0.4, 0.08718, 0.29390)])
def test_three_equally_correlated_scalars(rho: float, common: float, synergy: float, of_covariance) -> None:
    """In nats; no two of them share what the third does not."""
    found = [value / BITS for value in of_covariance(equicorrelation(3, rho), 3)]
    assert found == pytest.approx([common, 0, synergy], abs=1e-5)
    # 200000 games: standard deviations are 14 times smaller than at 1000, at most 0.0015, as is what the minimum loses.
    estimates = [value.item() / BITS for value in sharing(gaussian(equicorrelation(3, rho), 1, 200000, 3))]
    assert estimates == pytest.approx([common, 0, synergy], abs=4 * 0.0015)


def test_all_triplets_of_more_experts(of_covariance) -> None:
    """Alike, so that their mean is any of them; 364 triplets of 14."""
    three, fourteen = of_covariance(equicorrelation(3, 0.5), 3), of_covariance(equicorrelation(14, 0.5), 14)
    assert fourteen == pytest.approx(three, abs=1e-7)


def test_dimensions_add_up(of_covariance) -> None:
    """Two independent dimensions, alike."""
    covariance = torch.kron(equicorrelation(3, 0.5), torch.eye(2).double())
    expected = [2 * value for value in of_covariance(equicorrelation(3, 0.5), 3)]
    assert of_covariance(covariance, 3, 2) == pytest.approx(expected, abs=1e-8)


def test_a_pair_and_an_independent_variable(of_covariance) -> None:
    """All that is shared is exclusively pairwise."""
    covariance = torch.eye(3).double()
    covariance[0, 2] = covariance[2, 0] = 0.6
    assert of_covariance(covariance, 3) == pytest.approx([0, bits_of_correlation(0.6), 0], abs=1e-8)
    # As one of four triplets of four experts; the second pair's is in the other two.
    four = torch.block_diag(equicorrelation(2, 0.6), equicorrelation(2, 0.3))
    expected = (2 * bits_of_correlation(0.6) + 2 * bits_of_correlation(0.3)) / 4
    assert of_covariance(four, 4) == pytest.approx([0, expected, 0], abs=1e-8)


def test_a_sum_of_two_is_synergy(of_covariance) -> None:
    """z = (x + y)/sqrt 2 with noise: x and y share nothing, so nothing is common to all."""
    a = math.sqrt(0.45)
    covariance = torch.tensor([[1, 0, a], [0, 1, a], [a, a, 1]], dtype=torch.float64)
    common, pairs, synergy = of_covariance(covariance, 3)
    assert common == pytest.approx(0, abs=1e-8)
    total = -math.log2(1 - 0.9) / 2
    assert synergy == pytest.approx(total - 2 * bits_of_correlation(a), abs=1e-8)
    assert pairs == pytest.approx(2 * bits_of_correlation(a), abs=1e-8)


@pytest.mark.parametrize("experts", [3, 4, 6])
def test_modes_add_up_to_total_correlation_and_binding(experts: int) -> None:
    """TC = U + 2C + S, B = U + C + 2S, O = C - S and C = the smallest MI of pairs; of every estimate, on average."""
    states = normal(3, 100, experts, 2) + normal(3, 100, 1, 2, seed=1)
    targets = normal(3, 100, 2, seed=2)
    triplets = torch.combinations(torch.arange(experts), 3).tolist()
    for conditions in (None, targets):
        common, pairs, synergy = sharing(states, conditions)
        parts = [higher_order_information(states[:, :, three], conditions) for three in triplets]
        mean = lambda name: torch.stack([getattr(part, name) for part in parts]).mean(dim=0)  # noqa: B023, E731
        least = torch.stack([pairwise(states[:, :, three], conditions).amin(dim=1) for three in triplets])
        torch.testing.assert_close(common, least.mean(dim=0), rtol=0, atol=1e-10)
        torch.testing.assert_close(pairs + 2 * common + synergy, mean("total_correlation"), rtol=0, atol=1e-9)
        torch.testing.assert_close(pairs + common + 2 * synergy, mean("binding"), rtol=0, atol=1e-9)
        torch.testing.assert_close(common - synergy, mean("o_information"), rtol=0, atol=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_minimum_of_three_estimates_is_too_low_and_the_others_follow(rho: float) -> None:
    """Where pairs are alike: C and S by what the minimum of three is below their mean, at most 0.85 standard deviations
    of an estimate of a pair (0.846 where they are independent), and U too high by three times that."""
    states = equicorrelated(rho, 200, 1000, 3, 2)
    common, pairs, synergy = sharing(states)
    information = pairwise(states)
    low = (information.mean(dim=1) - information.amin(dim=1)).mean().item()
    assert 0.3 * information.std(dim=0).mean().item() < low < 0.9 * information.std(dim=0).mean().item()
    truth = 2 * bits_of_correlation(rho)
    assert_mean(common + low, truth, bias=0.005)
    assert_mean(pairs - 3 * low, 0.0, bias=0.01)
    o = 2 * truth_of_o(rho)
    assert_mean(synergy + low, truth - o, bias=0.01)


def truth_of_o(rho: float) -> float:
    total = -(2 * math.log(1 - rho) + math.log(1 + 2 * rho)) / 2
    binding = (-math.log(1 - rho) - 2 * math.log(1 + 2 * rho) + 3 * math.log(1 + rho)) / 2
    return (total - binding) * BITS


def test_experts_that_know_the_target_share_nothing_given_it() -> None:
    """But for what the minimum over pairs takes from C and adds to U: less than their standard deviation of 0.002."""
    targets = normal(60, 1000, 2)
    states = targets[:, :, None] + math.sqrt(0.1) * normal(60, 1000, 4, 2, seed=1)
    common, pairs, synergy = sharing(states, targets)
    assert_mean(common, 0.0, bias=0.003)
    assert_mean(pairs, 0.0, bias=0.008)
    assert_mean(synergy, 0.0, bias=0.003)


def test_the_order_of_experts_and_monotone_maps_change_nothing() -> None:
    states = normal(2, 80, 5, 2) + normal(2, 80, 1, 2, seed=1)
    order = torch.randperm(5, generator=seeded(2))
    for changed in (states[:, :, order], states.exp(), states.flip(-1)):
        for value, before in zip(sharing(changed), sharing(states), strict=True):
            torch.testing.assert_close(value, before, rtol=0, atol=1e-10)


def test_a_population_is_its_members_one_by_one() -> None:
    states, targets = equicorrelated(0.5, 3, 100, 4, 2), normal(3, 100, 2)
    together = sharing(states, targets)
    for member in range(3):
        alone = sharing(states[member : member + 1], targets[member : member + 1])
        for value, one in zip(together, alone, strict=True):
            assert value[member].item() == pytest.approx(one.item(), abs=1e-11)


def test_float32_and_float64_agree() -> None:
    states = equicorrelated(0.5, 2, 300, 4, 2).float()
    for value, other in zip(sharing(states), sharing(states.double()), strict=True):
        assert value.dtype == torch.float64
        torch.testing.assert_close(value, other, rtol=0, atol=0)


def all_nan(found: Sharing) -> list[bool]:
    assert len({tuple(value.isnan().tolist()) for value in found}) == 1
    return found.common.isnan().tolist()


@pytest.mark.parametrize("experts", [1, 2])
def test_fewer_than_three_experts(experts: int) -> None:
    with one_warning():
        found = sharing(normal(2, 100, experts, 2))
    assert all_nan(found) == [True, True]
    assert found.common.dtype == torch.float64


def test_too_few_games() -> None:
    with no_warning():
        assert all_nan(sharing(normal(2, 8, 4, 2))) == [False, False]
    with one_warning():
        assert all_nan(sharing(normal(2, 5, 4, 2))) == [True, True]
    with one_warning():  # enough for pairs
        found = sharing(normal(2, 7, 4, 2))
    assert [value.isnan().all().item() for value in found] == [False, True, True]


@pytest.mark.parametrize("value", [math.nan, math.inf, "constant", "copy"])
def test_a_member_that_cannot_be_measured_is_nan_and_no_other(value: float | str) -> None:
    states = normal(3, 100, 4, 2)
    clean = sharing(states)
    if value == "constant":
        states[1, :, 2, 0] = 0.1
    elif value == "copy":
        states[1, :, 2] = states[1, :, 0]
    else:
        states[1, 7, 2, 0] = value
    with one_warning():
        found = sharing(states)
    assert all_nan(found) == [False, True, False]
    for values, before in zip(found, clean, strict=True):
        torch.testing.assert_close(values[[0, 2]], before[[0, 2]], rtol=0, atol=1e-11)
