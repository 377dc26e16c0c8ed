"""Binding information and its companions of Gaussian experts: closed forms, thoi, bias and spread, invariances."""

from __future__ import annotations

import itertools
import logging
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from thoi.measures.gaussian_copula import nplets_measures
from torch import Tensor

from badger_sweeps.measures.information.binding import HigherOrderInformation, higher_order_information
from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.information.growth import shared_with_others
from badger_sweeps.measures.information.mutual_information import pairwise
from tests.measures.information.oracles import (
    BITS,
    assert_mean,
    equicorrelated,
    equicorrelation,
    exactly,
    gaussian,
    gaussian_entropy,
    no_warning,
    normal,
    one_warning,
    random_covariance,
    seeded,
    truth_of_equicorrelated,
)


@pytest.fixture
def of_covariance(monkeypatch: pytest.MonkeyPatch):
    """HigherOrderInformation of a covariance that is known, without samples."""

    def organised(covariance: Tensor, experts: int, components: int = 1) -> HigherOrderInformation:
        with monkeypatch.context() as patch:
            patch.setattr(Copula, "of", lambda states, given: exactly(covariance, experts, components))
            return higher_order_information(normal(1, 4, experts, components))

    return organised


@pytest.mark.parametrize(
    ("rho", "total", "binding", "o"), [(0.5, 0.34657, 0.26162, 0.08495), (-0.4, 0.46825, 0.67496, -0.20672)]
)
def test_three_equally_correlated_scalars(rho: float, total: float, binding: float, o: float, of_covariance) -> None:
    """In nats, from the covariance; then from 100 sets of 1000 games, where ranks lose up to a hundredth."""
    found = of_covariance(equicorrelation(3, rho), 3)
    assert found.total_correlation.item() / BITS == pytest.approx(total, abs=6e-6)
    assert found.binding.item() / BITS == pytest.approx(binding, abs=6e-6)
    assert found.o_information.item() / BITS == pytest.approx(o, abs=6e-6)
    estimates = higher_order_information(gaussian(equicorrelation(3, rho), 100, 1000, 3))
    assert_mean(estimates.total_correlation / BITS, total, bias=0.01 * total)
    assert_mean(estimates.binding / BITS, binding, bias=0.01 * binding)
    assert_mean(estimates.o_information / BITS, o, bias=0.01 * total)


@pytest.mark.parametrize(("experts", "rho"), [(2, 0.3), (4, 0.9), (5, -0.2), (16, 0.5), (16, 1 / 1.01)])
def test_equally_correlated_scalars(experts: int, rho: float, of_covariance) -> None:
    found, truth = of_covariance(equicorrelation(experts, rho), experts), truth_of_equicorrelated(experts, rho)
    assert found.binding.item() == pytest.approx(truth.binding, abs=1e-8)
    assert found.total_correlation.item() == pytest.approx(truth.total_correlation, abs=1e-8)
    assert found.o_information.item() == pytest.approx(truth.o_information, abs=1e-8)


@pytest.mark.parametrize(("experts", "components"), [(3, 2), (5, 1), (4, 3)])
def test_of_a_covariance_by_the_definitions(experts: int, components: int, of_covariance) -> None:
    """Every entropy by scipy: R = sum of H - H without i, B = H - R, TC = sum of H_i - H."""
    covariance = random_covariance(experts * components, seed=experts)
    everything = list(range(experts * components))
    joint = gaussian_entropy(covariance, everything)
    residual = total = 0.0
    for expert in range(experts):
        variables = everything[expert * components : (expert + 1) * components]
        residual += joint - gaussian_entropy(covariance, [one for one in everything if one not in variables])
        total += gaussian_entropy(covariance, variables)
    total -= joint
    binding = joint - residual
    found = of_covariance(covariance, experts, components)
    expected = (binding, total, residual, total - binding, joint)
    assert [value.item() for value in found] == pytest.approx(expected, abs=1e-8)


def thoi(states: Tensor | np.ndarray, games: int | None = None) -> list[list[float]]:
    """[TC, DTC, O] of each set of scalars, in bits; thoi gives nats."""
    level = logging.getLogger().level
    found = nplets_measures(states, covmat_precomputed=True, T=games, verbose=logging.ERROR)
    logging.getLogger().setLevel(level)
    return (found[0, :, :3] * BITS).tolist()


@pytest.mark.parametrize("experts", [3, 6, 12])
def test_thoi_finds_the_same_of_covariances(experts: int, of_covariance) -> None:
    covariance = random_covariance(experts, seed=experts)
    found = of_covariance(covariance, experts)
    expected = thoi([covariance])[0]
    values = [found.total_correlation.item(), found.binding.item(), found.o_information.item()]
    assert values == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("games", [30, 300])
def test_thoi_finds_the_same_of_data(games: int) -> None:
    """From the covariances of the same scores, with the same correction for bias."""
    states = gaussian(random_covariance(5, seed=1), 4, games, 5)
    found = higher_order_information(states.exp())
    expected = thoi(list(Copula.of(states).covariance), [games] * 4)
    for member in range(4):
        values = [found.total_correlation[member], found.binding[member], found.o_information[member]]
        assert [value.item() for value in values] == pytest.approx(expected[member], abs=1e-5)


@pytest.mark.parametrize(("noise", "nats"), [(1.0, 0.932), (0.1, 2.028), (0.01, 3.173)])
def test_sixteen_experts_that_know_the_target_but_not_each_other(noise: float, nats: float, of_covariance) -> None:
    """Output = target + private noise of relative variance s: bound without any communication, and unbound given the
    target."""
    exact = of_covariance(equicorrelation(16, 1 / (1 + noise)), 16).binding.item()
    assert exact / BITS == pytest.approx(nats, abs=0.0005)
    targets = normal(60, 1000, 1)
    outputs = targets[:, :, None] + math.sqrt(noise) * normal(60, 1000, 16, 1, seed=1)
    # Ranks of 1000 games lose 0.006 of it at the least noise.
    assert_mean(higher_order_information(outputs).binding, exact, bias=0.01 * exact)
    within = higher_order_information(outputs, targets)
    # What they lose is common to all experts: 0.024 bits at the least noise, a tenth of that at ten times as much.
    blurred = 0.03 if noise == 0.01 else 0.005
    assert_mean(within.binding, 0.0, bias=blurred)
    assert_mean(within.total_correlation, 0.0, bias=blurred)
    assert_mean(within.o_information, 0.0, bias=blurred)


def test_what_is_shared_beyond_the_targets_is_left() -> None:
    targets = normal(60, 1000, 4)
    private = equicorrelated(0.5, 60, 1000, 6, 2, seed=1)
    found = higher_order_information(targets[:, :, None, :2] + private, targets)
    truth = truth_of_equicorrelated(6, 0.5)
    assert_mean(found.binding, 2 * truth.binding, bias=0.02 * truth.binding)
    assert_mean(found.total_correlation, 2 * truth.total_correlation, bias=0.02 * truth.total_correlation)


def test_experts_that_know_a_uniform_target_are_unbound_given_it() -> None:
    """Ranks would bend uniform targets against what follows them linearly: 1.3 bits would be left."""
    targets = 2 * torch.rand(10, 1000, 4, generator=seeded()).double() - 1
    outputs = targets[:, :, None] + math.sqrt(0.1 / 3) * normal(10, 1000, 16, 4, seed=1)
    assert_mean(higher_order_information(outputs, targets).binding, 0.0, bias=0.05)


@pytest.mark.parametrize(
    ("games", "draws", "raw", "rounding", "sd"), [(100, 400, 18, 0.5, 0.83), (1000, 100, 1.02, 0.02, 0.035)]
)
def test_sixteen_independent_experts_of_four_outputs(
    games: int, draws: int, raw: float, rounding: float, sd: float
) -> None:
    """Raw B is 18 nats at 100 games and 1 at 1000; corrected it is 0. Its standard deviation at 1000 games is about
    that of 1920 squared correlations, sqrt(1920/2)/N nats."""
    outputs = normal(draws, games, 16, 4)
    found = higher_order_information(outputs).binding / BITS
    assert_mean(found, 0.0)
    assert found.std().item() == pytest.approx(sd, rel=0.25)
    covariance = torch.stack([torch.cov(one.T) for one in outputs[:10].flatten(2)])
    precision = torch.linalg.inv(covariance)
    log_blocks = sum(torch.logdet(precision[:, i : i + 4, i : i + 4]) for i in range(0, 64, 4))
    assert_mean((torch.logdet(covariance) + log_blocks) / 2, raw, bias=rounding)


def test_fourteen_independent_experts_of_32_units() -> None:
    """448 variables in 1000 games: raw B is 67 nats; what is left has a standard deviation of 0.36."""
    found = (
        torch.cat([higher_order_information(normal(1, 1000, 14, 32, seed=seed)).binding for seed in range(12)]) / BITS
    )
    assert_mean(found, 0.0)
    assert found.std() < 0.36 * (1 + 4 / math.sqrt(24))
    samples = normal(1000, 448)
    covariance = torch.cov(samples.T)
    precision = torch.linalg.inv(covariance)
    raw = (
        torch.logdet(covariance) + sum(torch.logdet(precision[i : i + 32, i : i + 32]) for i in range(0, 448, 32))
    ) / 2
    assert raw.item() == pytest.approx(67, abs=1)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_bias_at_every_strength_of_dependence(rho: float) -> None:
    """16 experts of four outputs, 1000 games, 64 variables. B, TC and O fall short by about a hundredth at most; H and
    R are too high by what TC lacks."""
    found, truth = higher_order_information(equicorrelated(rho, 30, 1000, 16, 4)), truth_of_equicorrelated(16, rho)
    loss = 0.0125 * 4 * truth.total_correlation
    assert_mean(found.binding, 4 * truth.binding, bias=0.01 * 4 * truth.binding)
    assert_mean(found.total_correlation, 4 * truth.total_correlation, bias=loss)
    assert_mean(found.o_information, 4 * truth.o_information, bias=loss)
    joint = 32 * math.log2(2 * math.pi * math.e) - 4 * truth.total_correlation
    assert_mean(found.joint_entropy, joint, bias=loss)
    assert_mean(found.residual_entropy, joint - 4 * truth.binding, bias=loss + 0.04 * truth.binding)


def test_total_correlation_and_binding_sum_to_what_each_shares_with_the_others() -> None:
    """TC + DTC = sum over i of I(X_i; X_-i), of any estimate, and n psi(n - 1) is the same."""
    states, targets = equicorrelated(0.5, 3, 100, 5, 2), normal(3, 100, 2, seed=1)
    for conditions in (None, targets):
        found, copula = higher_order_information(states, conditions), Copula.of(states, conditions)
        alone = copula.entropy(torch.arange(5)[:, None])
        with_others = (alone + copula.entropy_without_each - copula.joint_entropy[:, None]).sum(dim=1)
        torch.testing.assert_close(found.total_correlation + found.binding, with_others, rtol=0, atol=1e-10)
        psi = shared_with_others(states, seeded(), conditions)
        torch.testing.assert_close(5 * psi[:, -1], with_others, rtol=0, atol=1e-10)


def test_parts_add_up() -> None:
    found = higher_order_information(equicorrelated(0.5, 3, 100, 5, 2))
    torch.testing.assert_close(found.binding + found.residual_entropy, found.joint_entropy)
    torch.testing.assert_close(found.total_correlation - found.binding, found.o_information)


def test_of_two_experts_binding_is_their_mutual_information() -> None:
    states, targets = equicorrelated(0.5, 3, 100, 2, 3), normal(3, 100, 2, seed=1)
    for conditions in (None, targets):
        found, information = higher_order_information(states, conditions), pairwise(states, conditions)[:, 0]
        torch.testing.assert_close(found.binding, information, rtol=0, atol=1e-10)
        torch.testing.assert_close(found.total_correlation, information, rtol=0, atol=1e-10)
        torch.testing.assert_close(found.o_information, torch.zeros(3).double(), rtol=0, atol=1e-10)


@given(seed=st.integers(0, 1000), experts=st.integers(2, 6), components=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_relabelling_experts_and_monotone_maps_change_nothing(seed: int, experts: int, components: int) -> None:
    states = normal(2, 60, experts, components, seed=seed)
    states[:, :, 1:] += states[:, :, :1]
    order = torch.randperm(experts, generator=seeded(seed))
    for changed in (states[:, :, order], states.exp(), states.flip(-1), -states):
        for value, before in zip(higher_order_information(changed), higher_order_information(states), strict=True):
            torch.testing.assert_close(value, before, rtol=0, atol=1e-9)


def test_invertible_linear_maps_of_experts_change_b_tc_and_o_little() -> None:
    """But for ranks, which move an estimate by less than its spread."""
    states = equicorrelated(0.6, 40, 1000, 4, 3)
    turns = [torch.linalg.qr(normal(3, 3, seed=expert))[0] for expert in range(4)]
    turned = torch.stack([states[:, :, expert] @ turns[expert] for expert in range(4)], dim=2)
    found, before = higher_order_information(turned), higher_order_information(states)
    for name in ("binding", "total_correlation", "o_information"):
        change = getattr(found, name) - getattr(before, name)
        assert_mean(change, 0.0, bias=0.02)
        assert change.std() < getattr(before, name).std()


def test_joint_entropy_is_that_of_standardised_components() -> None:
    """It falls where a map correlates them, unlike B: here by 1 bit in each expert, whose columns have variances 1, 2
    and 2 and a covariance with determinant 1."""
    states = equicorrelated(0.6, 40, 1000, 4, 3)
    shear = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]).double()
    found, before = higher_order_information(states @ shear), higher_order_information(states)
    assert_mean(before.joint_entropy - found.joint_entropy, 4.0, bias=0.15)
    assert_mean(before.binding - found.binding, 0.0, bias=0.15)


def test_more_of_the_same_noise_binds_less() -> None:
    """Data processing for B and TC: private noise on every expert."""
    states = equicorrelated(0.8, 20, 1000, 5, 2)
    for name in ("binding", "total_correlation"):
        values = [
            getattr(higher_order_information(states + noise * normal(20, 1000, 5, 2, seed=3)), name)
            for noise in (0, 0.5, 1, 2)
        ]
        for more, less in itertools.pairwise(values):
            assert (more > less).all()


def test_a_population_is_its_members_one_by_one() -> None:
    states, targets = equicorrelated(0.5, 3, 100, 4, 2), normal(3, 100, 2)
    together = higher_order_information(states, targets)
    for member in range(3):
        alone = higher_order_information(states[member : member + 1], targets[member : member + 1])
        for value, one in zip(together, alone, strict=True):
            assert value[member].item() == pytest.approx(one.item(), abs=1e-11)


def test_inner_steps_are_a_batch() -> None:
    states, targets = normal(2, 3, 100, 4, 2), normal(2, 3, 100, 2)
    deep, flat = (
        higher_order_information(states, targets),
        higher_order_information(states.flatten(0, 1), targets.flatten(0, 1)),
    )
    for value, one in zip(deep, flat, strict=True):
        assert value.shape == (2, 3)
        torch.testing.assert_close(value.flatten(), one)


def test_float32_and_float64_agree() -> None:
    """To the bit where nothing is given; rounding of residuals may swap two neighbours in rank."""
    states, targets = equicorrelated(0.5, 2, 300, 3, 2).float(), normal(2, 300, 2).float()
    for known, tolerance in ((None, 0), (targets, 1e-3)):
        double = None if known is None else known.double()
        for value, other in zip(
            higher_order_information(states, known), higher_order_information(states.double(), double), strict=True
        ):
            assert value.dtype == torch.float64
            torch.testing.assert_close(value, other, rtol=0, atol=tolerance)


def test_one_expert_has_nothing_to_share() -> None:
    with no_warning():
        found = higher_order_information(normal(3, 50, 1, 2))
        within = higher_order_information(normal(3, 50, 1, 2), normal(3, 50, 2, seed=1))
    for values in (found, within):
        for name in ("binding", "total_correlation", "o_information"):
            torch.testing.assert_close(getattr(values, name), torch.zeros(3).double(), rtol=0, atol=1e-10)
        torch.testing.assert_close(values.residual_entropy, values.joint_entropy)


def test_too_few_games() -> None:
    with no_warning():
        assert higher_order_information(normal(2, 66, 16, 4)).binding.isfinite().all()
    for states, targets in ((normal(2, 65, 16, 4), None), (normal(2, 66, 16, 4), normal(2, 66, 1))):
        with one_warning():
            found = higher_order_information(states, targets)
        assert all(value.isnan().all() for value in found)


@pytest.mark.parametrize("value", [math.nan, math.inf, "constant", "copy"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_member_that_cannot_be_measured_is_nan_and_no_other(value: float | str, dtype: torch.dtype) -> None:
    states = normal(3, 100, 4, 2).to(dtype)
    clean = higher_order_information(states)
    if value == "constant":
        states[1, :, 2, 0] = 0.1
    elif value == "copy":
        states[1, :, 2] = states[1, :, 0]
    else:
        states[1, 7, 2, 0] = value
    with one_warning():
        found = higher_order_information(states)
    for values, before in zip(found, clean, strict=True):
        assert values.isnan().tolist() == ([False, True, False])
        torch.testing.assert_close(values[[0, 2]], before[[0, 2]], rtol=0, atol=1e-11)


def test_targets_that_cannot_be_conditioned_on() -> None:
    targets = normal(3, 100, 2)
    targets[2, 17, 1] = torch.nan
    with one_warning():
        found = higher_order_information(normal(3, 100, 4, 2), targets)
    assert found.binding.isnan().tolist() == [False, False, True]
