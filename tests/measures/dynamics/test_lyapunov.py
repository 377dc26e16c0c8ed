"""Lyapunov exponents of systems whose exponents are known."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from badger_sweeps.measures.dynamics._nolds import nolds
from badger_sweeps.measures.dynamics.lyapunov import against_surrogates, divergence_rate, rosenstein, tangent_exponents
from badger_sweeps.measures.dynamics.surrogates import amplitude_adjusted
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning
from tests.measures.dynamics.noises import logistic, walk, white


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def once(caught: list[warnings.WarningMessage]) -> bool:
    return [issubclass(one.category, UnmeasurableWarning) for one in caught] == [True]


# ---- Rosenstein ----


def test_the_logistic_map_parts_at_ln_2() -> None:
    """Reference: .692 +- .003 from 1000 values and .68 +- .02 from 200, with the truth of .6931."""
    long, short = rosenstein(logistic(8, 1000, 1)), rosenstein(logistic(20, 200, 2))
    assert abs(long.mean().item() - math.log(2)) < 0.001 + 0.003 * (1 + 4 / math.sqrt(8))
    assert abs(short.mean().item() - 0.68) < 0.01 + 0.02 * 4 / math.sqrt(20)


def test_white_noise_parts_too() -> None:
    """Reference: +.52, which is why the value means nothing beside no surrogates. Its spread is .01."""
    assert abs(rosenstein(white(8, 1000, 3)).mean().item() - 0.52) < 0.01 + 4 * 0.01 / math.sqrt(8)


def test_chaos_stands_out_from_its_surrogates_and_linear_noise_does_not() -> None:
    noise = white(5, 300, 4)
    with_memory = noise.clone()
    for t in range(1, 300):
        with_memory[:, t] += 0.8 * with_memory[:, t - 1]
    chaos = against_surrogates(logistic(4, 300, 5), seeded(), draws=39)
    assert (chaos.p_value == 2 / 40).all()
    assert (chaos.value > chaos.surrogate_mean + 10 * chaos.surrogate_sd).all()
    for linear in (noise, with_memory[:, 50:]):
        result = against_surrogates(linear, seeded(), draws=39)
        # Three or more of five at .05 each: probability .001.
        assert (result.p_value <= 0.05).sum() <= 2
        assert ((result.value - result.surrogate_mean).abs() < 4 * result.surrogate_sd).all()


def test_skewed_noise_needs_surrogates_of_its_own_distribution() -> None:
    """Independent exponential values are neither chaotic nor Gaussian: the two nulls differ in exactly that."""
    skewed = white(5, 500, 6).exp()
    assert (against_surrogates(skewed, seeded(), draws=39).p_value <= 0.05).sum() >= 3
    adjusted = against_surrogates(skewed, seeded(), draws=39, surrogates=amplitude_adjusted)
    assert (adjusted.p_value <= 0.05).sum() <= 2


def test_settings_reach_nolds() -> None:
    moving = walk(1, 250, 7)
    as_stated = {"emb_dim": 2, "lag": 1, "min_tsep": 1, "trajectory_len": 6, "fit": "poly"}
    assert rosenstein(moving).item() == nolds.lyap_r(moving[0].numpy(), **as_stated)
    assert rosenstein(moving, min_tsep=30).item() == nolds.lyap_r(moving[0].numpy(), **{**as_stated, "min_tsep": 30})
    series = logistic(1, 400, 7)
    # Followed for 20 iterations, neighbours have long parted, and nothing is left of the slope.
    assert rosenstein(series, trajectory_len=20).item() < 0.3
    assert rosenstein(series, emb_dim=3).item() != rosenstein(series).item()
    with_settings = against_surrogates(series, seeded(), draws=2, trajectory_len=20)
    assert with_settings.value.item() == rosenstein(series, trajectory_len=20).item()


def test_members_of_a_series_do_not_depend_on_their_population() -> None:
    series = white(3, 250, 8).float()
    together = rosenstein(series)
    assert together.dtype == torch.float64
    assert torch.equal(together, torch.cat([rosenstein(series[member : member + 1]) for member in range(3)]))
    assert torch.equal(together, rosenstein(series.double()))


def test_what_cannot_be_measured_of_a_series_is_nan_for_that_member_only() -> None:
    series = white(5, 250, 9)
    alone = rosenstein(series[4:])
    series[0, 3], series[1, 3], series[2] = math.nan, math.inf, 0.1
    series[3] = torch.tensor([0.0, 1.0]).repeat(125)  # neighbours coincide for ever
    with pytest.warns(UnmeasurableWarning) as caught:
        found = rosenstein(series)
    assert once(caught.list)
    assert found[:4].isnan().all()
    assert torch.equal(found[4:], alone)
    with pytest.warns(UnmeasurableWarning) as caught:
        result = against_surrogates(series, seeded(), draws=3)
    assert once(caught.list)
    assert result.p_value.isnan().tolist() == [True] * 4 + [False]


def test_below_200_values_no_exponent_is_given() -> None:
    assert rosenstein(white(1, 200, 0)).isfinite().all()
    with pytest.warns(UnmeasurableWarning) as caught:
        assert rosenstein(white(2, 199, 0)).isnan().all()
    assert once(caught.list)


# ---- Twin runs ----


def test_the_slope_of_an_exponential_is_its_rate() -> None:
    t = torch.arange(40, dtype=torch.float64)
    rates = torch.tensor([0.3, 0.0, -0.2], dtype=torch.float64)
    found = divergence_rate(1e-8 * torch.exp(rates[:, None] * t))
    torch.testing.assert_close(found, rates, rtol=0, atol=1e-12)


def test_saturation_is_left_out() -> None:
    t = torch.arange(200, dtype=torch.float64)
    growth = 1e-8 * torch.exp(0.3 * t)
    saturating = (growth / (1 + growth))[None]
    assert divergence_rate(saturating).item() < 0.2
    # Below the ceiling ln(1 + growth) is at most .001, over 38 iterations.
    assert divergence_rate(saturating, ceiling=1e-3).item() == pytest.approx(0.3, abs=1e-4)
    assert divergence_rate(saturating, end=40).item() == pytest.approx(0.3, abs=1e-3)


def test_what_follows_the_ceiling_is_not_used_even_below_it() -> None:
    t = torch.arange(60, dtype=torch.float64)
    distances = torch.exp(0.1 * t)
    distances[30] = 1e6
    distances[40:] = 1.0
    assert divergence_rate(distances[None], ceiling=1e5).item() == pytest.approx(0.1, abs=1e-12)


def test_replicas_that_became_equal_are_left_out() -> None:
    t = torch.arange(60, dtype=torch.float64)
    distances = torch.exp(-0.5 * t)
    distances[40:] = 0
    assert divergence_rate(distances[None]).item() == pytest.approx(-0.5, abs=1e-12)
    distances[30:] = math.exp(-15)  # rounding errors from here on
    assert divergence_rate(distances[None], floor=math.exp(-14.9)).item() == pytest.approx(-0.5, abs=1e-12)


def test_a_transient_is_left_out() -> None:
    t = torch.arange(60, dtype=torch.float64)
    distances = torch.exp(0.2 * t)
    distances[:10] = 5.0
    assert divergence_rate(distances[None], start=10).item() == pytest.approx(0.2, abs=1e-12)


def test_replicas_of_the_logistic_map_diverge_at_ln_2() -> None:
    x = logistic(400, 1, 10)[:, 0]
    y = x + 1e-12
    distances = []
    for _ in range(30):
        distances.append((x - y).abs())
        x, y = 4 * x * (1 - x), 4 * y * (1 - y)
    rates = divergence_rate(torch.stack(distances, dim=1), ceiling=1e-2)
    assert abs(rates.mean().item() - math.log(2)) < 4 * rates.std().item() / math.sqrt(400)


def test_too_few_distances_are_nan_for_that_member_only() -> None:
    t = torch.arange(30, dtype=torch.float64)
    distances = torch.exp(0.1 * t).repeat(5, 1)
    distances[0, 9], distances[1, 5], distances[2, 0], distances[3, 9] = 0, math.nan, math.inf, -1
    with pytest.warns(UnmeasurableWarning) as caught:
        found = divergence_rate(distances)
    assert once(caught.list)
    assert found.isnan().tolist() == [True] * 4 + [False]
    assert found[4].item() == pytest.approx(0.1, abs=1e-12)
    assert divergence_rate(distances[4:, :10]).isfinite().all()
    for shape in ((2, 9), (2, 0)):
        with pytest.warns(UnmeasurableWarning):
            assert divergence_rate(torch.ones(shape)).isnan().all()


def test_float32_distances() -> None:
    distance = 1e-8 * walk(20, 100, 11).mul(0.1).exp()
    found = divergence_rate(distance.float())
    assert found.dtype == torch.float64
    # Rounding of the input, 3.4e-8 each (sd), over the root of the sum of squared centred times, 289: six times that.
    torch.testing.assert_close(found, divergence_rate(distance), rtol=0, atol=7e-10)


# ---- Tangents ----


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_linear_map_has_the_logarithms_of_its_moduli(dtype: torch.dtype) -> None:
    diagonal = torch.tensor([0.9, 0.5], dtype=dtype)

    def step(_: int, state: Tensor) -> Tensor:
        assert state.dtype == dtype
        return state * diagonal

    found = tangent_exponents(step, torch.ones(3, 2, dtype=dtype), 50, seeded(), exponents=2, discard=100)
    assert found.dtype == torch.float64
    truth = torch.tensor([0.9, 0.5], dtype=torch.float64).log()
    # Each step rounds its tangents, in the map's precision and in float64, a few times.
    torch.testing.assert_close(found, truth.expand(3, -1), rtol=0, atol=4 * torch.finfo(dtype).eps)


def test_the_logistic_map_has_ln_2() -> None:
    start = logistic(64, 1, 12)
    found = tangent_exponents(lambda t, x: 4 * x * (1 - x), start, 300, seeded())
    # ln|4 - 8x| has variance pi^2/12; successive values are not independent, so the spread is taken from the members.
    assert abs(found.mean().item() - math.log(2)) < 4 * found.std().item() / math.sqrt(64) + 1e-6
    assert found.std().item() < 0.1


def test_a_rotation_neither_grows_nor_shrinks() -> None:
    turn = torch.tensor([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    found = tangent_exponents(lambda t, x: x @ turn.T, torch.ones(1, 2, dtype=torch.float64), 100, seeded(), 2)
    torch.testing.assert_close(found, torch.zeros_like(found), rtol=0, atol=1e-14)


def henon(_: int, state: Tensor) -> Tensor:
    x, y = state.unbind(dim=1)
    return torch.stack([1 - 1.4 * x.square() + y, 0.3 * x], dim=1)


def test_the_exponents_of_the_henon_map() -> None:
    start = 0.1 * torch.rand(64, 2, generator=seeded(1), dtype=torch.float64)
    found = tangent_exponents(henon, start, 300, seeded(), exponents=2, discard=50)
    # |det| is 0.3 everywhere, so the sum is exact; the first is .4192 (textbook).
    torch.testing.assert_close(found.sum(dim=1), torch.full((64,), math.log(0.3), dtype=torch.float64))
    assert abs(found[:, 0].mean().item() - 0.4192) < 4 * found[:, 0].std().item() / 8


def neurons(z: list[float], threshold: float = 0.65) -> tuple[np.ndarray, np.ndarray]:
    """Exponents of u' = .9 u - z (sigma(u) - I0), by tangents and from the derivative along the same orbits."""
    steps, discard = 400, 200
    strength = torch.tensor(z, dtype=torch.float64)[:, None]
    start = torch.full((len(z), 1), 0.1, dtype=torch.float64)
    found = tangent_exponents(
        lambda t, u: 0.9 * u - strength * (torch.sigmoid(u) - threshold), start, steps, seeded(), discard=discard
    )
    along_orbit = []
    for one in z:
        u, total = 0.1, 0.0
        for t in range(steps + discard):
            s = 1 / (1 + math.exp(-u))
            if t >= discard:
                total += math.log(abs(0.9 - one * s * (1 - s)))
            u = 0.9 * u - one * (s - threshold)
        along_orbit.append(total / steps)
    return found[:, 0].numpy(), np.array(along_orbit)


def test_the_uncoupled_neuron_is_stable_below_four_times_one_plus_k() -> None:
    found, along_orbit = neurons([0.0, 2.0, 5.0, 7.5])
    assert found[0] == pytest.approx(math.log(0.9), abs=1e-12)
    np.testing.assert_allclose(found, along_orbit, atol=1e-9)
    assert (found < 0).all()


def test_the_uncoupled_neuron_has_a_chaotic_band() -> None:
    # "Maximum about .35": over 400 steps and a grid of this width it may be .05 off.
    assert abs(neurons(np.arange(15, 21.8, 0.1).tolist())[0].max() - 0.35) < 0.05
    # At the other threshold no chaos is known at any z.
    assert (neurons(np.arange(0, 40, 0.5).tolist(), threshold=0.5)[0] < 0.01).all()


def test_a_network_agrees_with_products_of_its_jacobians() -> None:
    """Oracle: full Jacobians by reverse mode, multiplied and decomposed in numpy."""
    weights = torch.randn(5, 5, generator=seeded(2), dtype=torch.float64)

    def step(t: int, state: Tensor) -> Tensor:
        return torch.tanh(state @ weights.T + 0.1 * t)

    start = torch.randn(2, 5, generator=seeded(3), dtype=torch.float64)
    found = tangent_exponents(step, start, 20, seeded(4), exponents=5, discard=3)
    frame = np.linalg.qr(torch.randn(5, 5, generator=seeded(4), dtype=torch.float64).numpy())[0]
    for member in range(2):
        state, basis, total = start[member : member + 1], frame, np.zeros(5)
        for t in range(23):
            jacobian = torch.autograd.functional.jacobian(lambda h, t=t: step(t, h)[0], state)[:, 0]
            basis, triangle = np.linalg.qr(jacobian.numpy() @ basis)
            total += np.log(np.abs(np.diag(triangle))) if t >= 3 else 0
            state = step(t, state)
        np.testing.assert_allclose(found[member].numpy(), total / 20, atol=1e-10)


def test_fewer_exponents_are_the_first_of_more() -> None:
    weights = torch.randn(4, 4, generator=seeded(5), dtype=torch.float64)
    start = torch.randn(2, 4, generator=seeded(6), dtype=torch.float64)
    everything = tangent_exponents(lambda t, h: torch.tanh(h @ weights), start, 100, seeded(), 4, discard=300)
    two = tangent_exponents(lambda t, h: torch.tanh(h @ weights), start, 100, seeded(1), 2, discard=300)
    torch.testing.assert_close(two, everything[:, :2], rtol=0, atol=1e-6)


def test_a_trained_cell_can_be_measured() -> None:
    """Weights that need gradients, a recurrent cell of PyTorch and an input that the step closes over."""
    cell = torch.nn.LSTMCell(3, 6)
    inputs = torch.randn(4, 3, generator=seeded(7))

    def step(_: int, state: Tensor) -> Tensor:
        return torch.cat(cell(inputs, (state[:, :6], state[:, 6:])), dim=1)

    found = tangent_exponents(step, torch.zeros(4, 12), 30, seeded(), exponents=3)
    assert found.shape == (4, 3)
    assert not found.requires_grad
    in_double = cell.double()
    inputs = inputs.double()
    again = tangent_exponents(
        lambda t, s: torch.cat(in_double(inputs, (s[:, :6], s[:, 6:])), dim=1),
        torch.zeros(4, 12, dtype=torch.float64),
        30,
        seeded(),
        exponents=3,
    )
    # Tangents of a contracting map forget their rounding errors: what is left is one step's, amplified a little.
    torch.testing.assert_close(found, again, rtol=0, atol=1e-5)


def test_members_of_a_map_do_not_depend_on_their_population() -> None:
    start = 0.1 * torch.rand(3, 2, generator=seeded(8), dtype=torch.float64)
    together = tangent_exponents(henon, start, 40, seeded(9), 2)
    alone = [tangent_exponents(henon, start[member : member + 1], 40, seeded(9), 2) for member in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-10)


def test_a_member_that_leaves_is_nan_and_others_are_not_disturbed() -> None:
    start = torch.tensor([[0.3], [2.0], [math.nan]], dtype=torch.float64)
    with pytest.warns(UnmeasurableWarning) as caught:
        found = tangent_exponents(lambda t, x: 4 * x * (1 - x), start, 50, seeded())
    assert once(caught.list)
    assert found.isnan().tolist() == [[False], [True], [True]]
    alone = tangent_exponents(lambda t, x: 4 * x * (1 - x), start[:1], 50, seeded())
    torch.testing.assert_close(found[:1], alone)


def test_a_direction_that_is_flattened_has_minus_infinity() -> None:
    projection = torch.tensor([0.5, 0.0], dtype=torch.float64)
    found = tangent_exponents(
        lambda t, x: x * projection, torch.ones(1, 2, dtype=torch.float64), 5, seeded(), 2, discard=1
    )
    assert found[0, 0].item() == pytest.approx(math.log(0.5), abs=1e-12)
    assert found[0, 1].item() == -math.inf


@pytest.mark.parametrize(("steps", "exponents", "discard"), [(0, 1, 0), (5, 0, 0), (5, 3, 0), (5, 1, -1)])
def test_settings_that_make_no_sense(steps: int, exponents: int, discard: int) -> None:
    with pytest.raises(ValueError, match="tangent_exponents"):
        tangent_exponents(lambda t, x: x, torch.ones(1, 2), steps, seeded(), exponents, discard)


def test_a_random_first_direction_costs_what_is_documented() -> None:
    """One direction that keeps its length among n - 1 that vanish: ln|cos| of the first angle, over T."""
    kept = torch.randn(200, 512, generator=seeded(10), dtype=torch.float64)
    kept /= kept.norm(dim=1, keepdim=True)
    start = torch.ones(200, 512, dtype=torch.float64)
    found = tangent_exponents(lambda t, x: kept * (kept * x).sum(dim=1, keepdim=True), start, 20, seeded())
    # E ln|cos| = [psi(1/2) - psi(n/2)]/2 = -3.75, and the sd of ln|cos| is that of ln|normal|, pi/sqrt(8) = 1.11.
    assert abs(found.mean().item() + 3.75 / 20) < 4 * 1.11 / 20 / math.sqrt(200)
