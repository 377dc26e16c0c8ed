"""Dynamic modes of systems whose modes are known."""

from __future__ import annotations

import cmath
import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from badger_sweeps.measures.dynamics.modes import modes
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning
from tests.measures.dynamics.linear import linear_states

TURNING = 0.95 * cmath.exp(1j * math.pi / 6)


def once(caught: list[warnings.WarningMessage]) -> bool:
    return [issubclass(one.category, UnmeasurableWarning) for one in caught] == [True]


def of_rank(eigenvalues: Tensor, rank: Tensor) -> list[complex]:
    assert eigenvalues[int(rank) :].isnan().all()
    found: list[complex] = eigenvalues[: int(rank)].tolist()
    return sorted(found, key=lambda value: (-value.real, value.imag))


@pytest.mark.parametrize("variables", [10, 50])
@pytest.mark.parametrize(
    ("eigenvalues", "truth", "oscillating"),
    [
        ([TURNING, 0.8], [TURNING.conjugate(), TURNING, 0.8], 1),
        ([0.95, 0.8, 0.5], [0.95, 0.8, 0.5], 0),
    ],
)
def test_both_known_spectra_are_recovered(
    eigenvalues: list[complex], truth: list[complex], oscillating: int, variables: int
) -> None:
    for seed in range(5):
        found = modes(linear_states(eigenvalues, variables=variables, seed=seed))
        assert found.rank.item() == 3
        assert of_rank(found.eigenvalues[0], found.rank[0]) == pytest.approx(truth, abs=0.002)
        torch.testing.assert_close(found.modulus, found.eigenvalues.abs())
        torch.testing.assert_close(found.argument, found.eigenvalues.angle())
        assert found.oscillating.item() == oscillating


def test_without_noise_the_rank_is_that_of_the_system() -> None:
    """The threshold for noise falls among rounding errors then, which have eigenvalues of every kind."""
    found = modes(linear_states([TURNING, 0.8], noise=0))
    assert found.rank.item() == 3
    assert of_rank(found.eigenvalues[0], found.rank[0]) == pytest.approx([TURNING.conjugate(), TURNING, 0.8], abs=1e-9)
    assert found.r2.item() == pytest.approx(1, abs=1e-12)
    wider = modes(linear_states([TURNING, 0.8], noise=0), svd_rank=10)
    assert wider.rank.item() == 3


@pytest.mark.parametrize(
    ("eigenvalue", "oscillating"),
    [
        (0.95 * cmath.exp(1j * 2 * math.pi * 1.1 / 20), 1),  # just over a period in 20 steps
        (0.95 * cmath.exp(1j * 2 * math.pi * 0.9 / 20), 0),  # just under
        (0.92 * cmath.exp(1j), 1),
        (0.88 * cmath.exp(1j), 0),  # does not last
        (1.04 * cmath.exp(1j), 1),
        (1.06 * cmath.exp(1j), 0),  # explodes
        (-0.95, 1),  # a period of two steps, without a partner
        (-0.85, 0),
        (0.99, 0),
    ],
)
def test_what_counts_as_oscillating(eigenvalue: complex, oscillating: int) -> None:
    found = modes(linear_states([eigenvalue, 0.7]))
    assert found.oscillating.item() == oscillating


def test_pairs_count_once_each() -> None:
    eigenvalues = [0.95 * cmath.exp(1j), 0.97 * cmath.exp(2j), -0.95, 1.0]
    found = modes(linear_states(eigenvalues))
    assert found.rank.item() == 6
    assert found.oscillating.item() == 3


@pytest.mark.parametrize("share", [0.03, 0.04, 0.06, 0.3])
def test_a_mode_counts_above_five_percent_of_the_energy(share: float) -> None:
    """Modes in orthogonal directions have the energy of what they contribute; |eigenvalue| = 1 keeps it constant."""
    both = [cmath.exp(1j), 1.0]
    alone = [linear_states([one], games=200, noise=0).square().sum().item() for one in both]
    scale = math.sqrt(share / (1 - share) * alone[1] / alone[0])
    states = linear_states(both, games=200, noise=1e-4, scales=[scale, 1.0])
    parts = [linear_states(both, games=200, noise=0, scales=only)[:, :, :-1] for only in ([scale, 0.0], [0.0, 1.0])]
    about_mean = (sum(parts) - sum(parts).mean(dim=(1, 2))).square().sum().item()
    expected, other = (part.square().sum().item() / about_mean for part in parts)
    found = modes(states)
    turning = found.argument[0].abs() > 0.5
    # Both of the pair carry it; what is left is the observed noise, 1e-4, and the eigenvectors' error.
    torch.testing.assert_close(
        found.share[0][turning], torch.full((2,), expected, dtype=torch.float64), rtol=0.01, atol=0
    )
    assert found.share[0][~turning].item() == pytest.approx(other, rel=0.01)
    # Starting places are drawn, so the share is not exactly what was asked for, but on the same side of 5 %.
    assert (expected > 0.05) == (share > 0.05)
    assert found.oscillating.item() == (share > 0.05)


def test_modes_come_in_order_of_energy_with_pairs_together() -> None:
    found = modes(linear_states([0.99, cmath.exp(1j), 0.9], scales=[1.0, 3.0, 0.3]))
    assert (found.share[0].diff() <= 1e-9).all()
    assert found.eigenvalues[0, 0].item() == pytest.approx(found.eigenvalues[0, 1].item().conjugate(), abs=1e-12)
    assert found.argument[0, 0].item() == pytest.approx(1, abs=0.01)


def test_a_real_oscillation_in_one_plane_has_the_energy_of_its_sum() -> None:
    """A pair whose plane is not round: |2 Re(phi b)|^2 differs from 2 |phi|^2 |b|^2, and the whole is all there is."""
    turning = linear_states([cmath.exp(1j)], variables=2, noise=0)
    flattened = turning * torch.tensor([1.0, 0.2])
    # The hard threshold would cut off one of two variables.
    found = modes(flattened, svd_rank=2)
    x = flattened[0, :, :-1].flatten(0, 1)
    about_mean = (x - x.mean(dim=0)).square().sum()
    torch.testing.assert_close(found.share, (x.square().sum() / about_mean).expand(1, 2))


def test_the_operator_is_that_of_least_squares() -> None:
    """Oracle: at full rank, with few variables and many games, DMD is Y X^+."""
    states = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 40, 9, 4))).cumsum(dim=2)
    x = states[0, :, :-1].reshape(-1, 4).numpy().T
    y = states[0, :, 1:].reshape(-1, 4).numpy().T
    truth = np.linalg.eigvals(np.linalg.lstsq(x.T, y.T, rcond=None)[0].T)
    found = modes(states, svd_rank=4)
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues[0].numpy()), np.sort_complex(truth), atol=1e-10)
    half = np.linalg.lstsq(x[:, : 20 * 8].T, y[:, : 20 * 8].T, rcond=None)[0].T
    tested_x, tested_y = x[:, 20 * 8 :], y[:, 20 * 8 :]
    total = np.square(tested_y - tested_y.mean(axis=1, keepdims=True)).sum()
    assert found.r2.item() == pytest.approx(1 - np.square(tested_y - half @ tested_x).sum() / total, abs=1e-10)
    assert found.persistence_r2.item() == pytest.approx(1 - np.square(tested_y - tested_x).sum() / total, abs=1e-10)


def test_noise_alone_predicts_nothing() -> None:
    states = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 100, 21, 10)))
    found = modes(states)
    # 1000 transitions a half: what 10 or fewer coefficients a variable fit of noise costs 10/1000.
    assert abs(found.r2.item()) < 0.03
    # Two independent values differ by twice the variance.
    assert found.persistence_r2.item() == pytest.approx(-1, abs=0.1)
    assert found.oscillating.item() == 0


def test_pure_decay_in_many_dimensions_does_not_oscillate_at_any_energy() -> None:
    """At full rank 200 variables fit 80 transitions exactly, with a score of spurious modes that last and turn."""
    rng = np.random.default_rng(2)
    decays = rng.uniform(0.3, 0.95, size=200)
    start = rng.normal(size=(4, 1, 200))
    states = start * decays ** np.arange(21)[:, None] + 0.001 * rng.normal(size=(4, 21, 200))
    turned = states @ np.linalg.qr(rng.normal(size=(200, 200)))[0]
    found = modes(torch.from_numpy(turned)[None])
    assert not ((found.modulus > 0.9) & (found.argument.abs() > 2 * math.pi / 20)).any()
    assert found.oscillating.item() == 0


def test_a_common_fixed_point_is_a_mode_of_its_own_and_hides_nothing() -> None:
    states = linear_states([TURNING, 0.8], games=100)
    found = modes(states + 3)
    assert found.rank.item() == 4
    truth = [1, TURNING.conjugate(), TURNING, 0.8]
    assert of_rank(found.eigenvalues[0], found.rank[0]) == pytest.approx(truth, abs=0.002)
    assert found.oscillating.item() == 1
    turning = found.argument[0].abs() > 0.1
    without = modes(states)
    # Eigenvectors are not quite the same, by the noise of .001 and what is drawn of the fixed point's direction.
    torch.testing.assert_close(
        found.share[0][turning], without.share[0][without.argument[0].abs() > 0.1], rtol=0.01, atol=0
    )


def test_rotating_variables_or_exchanging_games_changes_nothing() -> None:
    states = linear_states([TURNING, 0.9, 0.6], noise=0.01)
    generator = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(30, 30, generator=generator, dtype=torch.float64)).Q
    before = modes(states)
    rotated = modes(states @ rotation)
    for field, same in zip(before, rotated, strict=True):
        torch.testing.assert_close(same, field, rtol=0, atol=1e-9)
    exchanged = modes(states[:, torch.randperm(24, generator=generator)])
    torch.testing.assert_close(exchanged.eigenvalues, before.eigenvalues, rtol=0, atol=1e-9)
    torch.testing.assert_close(exchanged.share, before.share, rtol=0, atol=1e-9)


def test_float32_says_the_same() -> None:
    states = linear_states([TURNING, 0.9], noise=0.01)
    single, double = modes(states.float()), modes(states)
    assert single.eigenvalues.dtype == torch.complex128
    assert single.share.dtype == torch.float64
    for one, other in zip(single, double, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_members_do_not_depend_on_their_population() -> None:
    states = torch.cat([linear_states([TURNING, 0.9]), linear_states([0.9]), linear_states([0.7, 0.5])])
    together = modes(states)
    assert together.rank.tolist() == [3, 1, 2]
    for member in range(3):
        alone = modes(states[member : member + 1])
        rank = int(alone.rank)
        for field, one in zip(together, alone, strict=True):
            mine = field[member : member + 1]
            torch.testing.assert_close(mine[:, :rank] if mine.ndim == 2 else mine, one, rtol=0, atol=1e-12)
            assert mine.ndim == 1 or mine[:, rank:].isnan().all()


def test_what_cannot_be_decomposed_is_nan_for_that_member_only() -> None:
    states = linear_states([TURNING, 0.9]).repeat(4, 1, 1, 1)
    states[0, 3, 2, 1], states[1, 0, 0, 0], states[2] = math.nan, math.inf, 0.1
    with pytest.warns(UnmeasurableWarning) as caught:
        found = modes(states)
    assert once(caught.list)
    alone = modes(states[3:])
    for field, one in zip(found, alone, strict=True):
        assert field[:3].isnan().all()
        torch.testing.assert_close(field[3:], one)


def test_states_that_only_change_at_the_end_have_no_modes() -> None:
    states = torch.zeros(1, 8, 20, 5)
    states[:, :, -1] = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UnmeasurableWarning):
        assert modes(states).rank.isnan().all()


@pytest.mark.parametrize("shape", [(2, 3, 20, 5), (2, 8, 6, 5), (2, 8, 20, 1), (2, 0, 20, 5)])
def test_too_few_games_steps_or_variables(shape: tuple[int, ...]) -> None:
    with pytest.warns(UnmeasurableWarning) as caught:
        found = modes(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    assert once(caught.list)
    assert all(field.isnan().all() for field in found)
    assert found.eigenvalues.shape == (2, 0)
    assert found.rank.shape == (2,)


@pytest.mark.parametrize(("games", "value"), [(slice(12, None), 1.0), (slice(12), 0.0)])
def test_states_that_allow_no_test_have_no_r2(games: slice, value: float) -> None:
    states = linear_states([TURNING, 0.9])
    states[:, games] = value
    found = modes(states)
    assert found.r2.isnan().all()
    assert found.persistence_r2.isnan().all()
    assert found.rank.isfinite().all()


def test_full_rank_is_refused() -> None:
    with pytest.raises(ValueError, match="svd_rank must be 0"):
        modes(linear_states([0.9]), svd_rank=-1)


def test_only_our_own_warnings_reach_the_caller() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modes(linear_states([0.9], noise=1e-9))
        modes(torch.from_numpy(np.random.default_rng(3).normal(size=(1, 40, 12, 6))))
