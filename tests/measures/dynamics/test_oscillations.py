"""Whether oscillations are there, are missing, or could not have been seen."""

from __future__ import annotations

import cmath
import math
import warnings

import pytest
import torch
from torch import Generator

from badger_sweeps.measures.dynamics.modes import modes
from badger_sweeps.measures.dynamics.oscillations import _injected, _time_shuffled, oscillations, power_to_find
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning
from tests.measures.dynamics.linear import linear_states

TURNING = 0.95 * cmath.exp(1j * math.pi / 6)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def once(caught: list[warnings.WarningMessage]) -> bool:
    return [issubclass(one.category, UnmeasurableWarning) for one in caught] == [True]


def test_an_oscillation_stands_out_and_decay_does_not() -> None:
    states = torch.cat([linear_states([TURNING, 0.9]), linear_states([0.95, 0.8, 0.5])])
    found = oscillations(states, seeded())
    assert torch.equal(found.oscillating.value, modes(states).oscillating)
    assert found.oscillating.value.tolist() == [1, 0]
    assert found.largest_surrogate.tolist() == [0, 0]
    # 1/(19 + 1) is the least; with nothing found, all surrogates have as many.
    assert found.oscillating.p_value.tolist() == pytest.approx([0.05, 1.0])
    assert found.power.tolist() == [1, 1]
    assert found.none.tolist() == [False, True]


def test_where_an_oscillation_could_not_be_seen_its_absence_is_not_claimed() -> None:
    """Five percent of the energy below noise as strong as the states themselves, or cut off with the rank."""
    decay = [0.95, 0.8, 0.5]
    in_noise = oscillations(linear_states(decay, noise=1.0), seeded(), draws=5)
    cut_off = oscillations(linear_states(decay), seeded(), draws=5, svd_rank=2)
    for found in (in_noise, cut_off):
        assert found.oscillating.value.item() == 0
        assert found.power.item() < 0.5
        assert not found.none.item()


def test_power_falls_with_the_share_of_the_energy() -> None:
    """Noise of sd s on a mode of energy e per direction draws the modulus to e/(e + s^2) of what it is.

    Here s^2 = .0004 and e is about .02, .0002 and .2 for shares of 5 %, .05 % and 30 %.
    """
    states = linear_states([0.95, 0.8, 0.5], noise=0.02)
    power = [power_to_find(states, seeded(1), injections=10, share=share).item() for share in (0.0005, 0.05, 0.3)]
    assert power[0] < 0.5
    assert power[1:] == [1, 1]


def test_an_oscillation_that_was_there_is_not_taken_for_the_injected_one() -> None:
    """Too weak to be found, the injected one is within 2 pi/20 of the other's argument of pi/6 once in seven."""
    states = linear_states([TURNING, 0.8], noise=0.02)
    assert modes(states).oscillating.item() == 1
    assert power_to_find(states, seeded(9), injections=10, share=0.0005).item() < 0.5


def test_power_holds_in_a_network_that_settles_in_every_game_elsewhere() -> None:
    """Many eigenvalues lie near 1 then, and their modes nearly cancel."""
    weights = torch.randn(64, 64, generator=seeded(2)) / 16
    inputs = torch.randn(32, 4, generator=seeded(3)) @ torch.randn(4, 64, generator=seeded(4))
    state, states = torch.zeros(32, 64), [torch.zeros(32, 64)]
    for _ in range(20):
        state = torch.tanh(state @ weights + inputs)
        states.append(state)
    found = oscillations(torch.stack(states, dim=1)[None], seeded(5), draws=5)
    assert found.oscillating.value.item() == 0
    assert found.none.item()


def test_the_injected_mode_has_the_share_and_the_eigenvalue_it_should() -> None:
    states = linear_states([0.95, 0.8], games=64, variables=12) + 1
    for seed in range(5):
        with_mode, argument = _injected(states, 0.2, seeded(seed))
        added = with_mode - states
        expected = 0.2 / 0.8 * (states - states.mean(dim=(1, 2), keepdim=True)).square().sum()
        torch.testing.assert_close(added.square().sum(), expected)
        assert 2 * math.pi / 20 < argument < math.pi
        # x_{t+1} = 2 r cos(a) x_t - r^2 x_{t-1} is what every variable of such a mode obeys.
        recurrence = 2 * 0.975 * math.cos(argument) * added[:, :, 1:-1] - 0.975**2 * added[:, :, :-2]
        torch.testing.assert_close(added[:, :, 2:], recurrence)
        # The mode is a plane, and games have phases of their own.
        assert torch.linalg.matrix_rank(added.flatten(0, 2), rtol=1e-9).item() == 2
        assert torch.linalg.matrix_rank(added[0].flatten(1), rtol=1e-9).item() == 2


def test_time_is_shuffled_within_games_and_alike_for_all_members() -> None:
    states = torch.arange(2 * 3 * 8 * 2, dtype=torch.float64).reshape(2, 3, 8, 2)
    shuffled = _time_shuffled(states, seeded(6))
    assert torch.equal(shuffled.sort(dim=2).values, states)
    assert torch.equal(shuffled[1] - shuffled[0], states[1] - states[0])
    orders = shuffled[0, :, :, 0] - shuffled[0, :, :, 0].min(dim=1, keepdim=True).values
    assert not torch.equal(orders[0], orders[1])


def test_members_do_not_depend_on_their_population() -> None:
    states = torch.cat([linear_states([TURNING, 0.9], noise=0.2), linear_states([0.95, 0.5], noise=0.2)])
    together = oscillations(states, seeded(7), draws=3, injections=3)
    for member in range(2):
        for made, of_one in (
            (_injected(states, 0.05, seeded(8))[0], _injected(states[member : member + 1], 0.05, seeded(8))[0]),
            (_time_shuffled(states, seeded(8)), _time_shuffled(states[member : member + 1], seeded(8))),
        ):
            torch.testing.assert_close(made[member : member + 1], of_one, rtol=1e-12, atol=1e-12)
        alone = oscillations(states[member : member + 1], seeded(7), draws=3, injections=3)
        assert alone.power.item() == together.power[member].item()
        assert alone.oscillating.value.item() == together.oscillating.value[member].item()
        assert alone.oscillating.p_value.item() == together.oscillating.p_value[member].item()


def test_float32_says_the_same() -> None:
    states = linear_states([TURNING, 0.9], noise=0.05)
    single, double = (oscillations(one, seeded(8), draws=3, injections=3) for one in (states.float(), states))
    assert single.power.dtype == torch.float64
    assert torch.equal(single.power, double.power)
    assert torch.equal(single.none, double.none)


def test_what_cannot_be_measured_is_neither_found_nor_ruled_out() -> None:
    states = linear_states([0.95, 0.8, 0.5]).repeat(2, 1, 1, 1)
    states[0, 0, 0, 0] = math.nan
    with pytest.warns(UnmeasurableWarning) as caught:
        found = oscillations(states, seeded(), draws=3, injections=2)
    assert once(caught.list)
    for field in (*found.oscillating, found.largest_surrogate, found.power):
        assert field.isnan().tolist() == [True, False]
    assert found.none.tolist() == [False, True]
    with pytest.warns(UnmeasurableWarning) as caught:
        assert power_to_find(states, seeded(), injections=2).isnan().tolist() == [True, False]
    assert once(caught.list)


def test_too_few_games_steps_or_variables() -> None:
    for shape in ((2, 3, 20, 5), (2, 8, 6, 5), (2, 8, 20, 1)):
        with pytest.warns(UnmeasurableWarning) as caught:
            found = oscillations(torch.ones(shape), seeded(), draws=2, injections=2)
        assert once(caught.list)
        assert found.power.isnan().all()
        assert not found.none.any()


def test_full_rank_is_refused() -> None:
    for call in (oscillations, power_to_find):
        with pytest.raises(ValueError, match="svd_rank must be 0"):
            call(linear_states([0.9]), seeded(), svd_rank=-1)
