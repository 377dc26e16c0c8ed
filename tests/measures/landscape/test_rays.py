"""Schaul's two-dimensional system against closed forms, the bandit it stands for, and another integrator."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import odeint
from scipy.special import expit, logit

from badger_sweeps.measures.landscape.rays import Learning, basins, field, time_to_solve, trajectory, velocity
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning

RULES: list[Learning] = ["rl", "supervised"]


@pytest.mark.parametrize(
    ("start", "rl", "supervised"),
    [((0.02, 0.10), 1306.6, 7.12), ((0.05, 0.06), 55.58, 6.99), ((0.1, 0.1), 13.283, 6.642)],
)
def test_known_times(start: tuple[float, float], rl: float, supervised: float) -> None:
    """science.md, section 10, to the digits given there; and the same for dimensions exchanged."""
    for learning, truth in zip(RULES, (rl, supervised), strict=True):
        half_digit = 0.5 * 10.0 ** -len(str(truth).split(".")[1])
        assert time_to_solve(start, learning) == pytest.approx(truth, abs=half_digit)
        assert time_to_solve(start[::-1], learning) == pytest.approx(time_to_solve(start, learning), rel=1e-9)


@pytest.mark.parametrize("e", [0.3, 0.1, 0.05, 0.01])
def test_closed_forms_without_interference_and_on_the_diagonal(e: float) -> None:
    """From e to 1 - e, u = ln((1-e)/e). RL: du/dt = 4f(1 + c), 1/f = 2 + 2 cosh u. Supervised: du/dt = 4(1-J)(1 + c),
    1/(1-J) = 1 + e^u. Each integrates to sinh(u) + u or half of it, over 1 + c. For e = .05: 12.418."""
    u = math.log((1 - e) / e)
    for interference in (0.0, -0.5, -0.8, 0.5):
        for learning, truth in zip(RULES, (math.sinh(u) + u, (math.sinh(u) + u) / 2), strict=True):
            found = time_to_solve((e, e), learning, level=1 - e, interference=interference)
            assert found == pytest.approx(truth / (1 + interference), rel=1e-7)
    if e == 0.05:
        assert time_to_solve((e, e), "rl", level=1 - e, interference=0.0) == pytest.approx(12.418, abs=5e-4)


def test_without_interference_the_slower_dimension_decides() -> None:
    u, goal = logit(0.02), logit(0.9)
    truth = (goal + math.sinh(goal) - u - math.sinh(u)) / 2
    assert time_to_solve((0.02, 0.6), "rl", interference=0.0) == pytest.approx(truth, rel=1e-7)


@pytest.mark.parametrize("learning", RULES)
def test_the_bandit_itself(learning: Learning) -> None:
    """Gradient ascent's velocity of u, from autograd on the logits W[s, a] + b[a] of a softmax policy whose right
    action is a = s: J1 + J2 for RL, log J1 + log J2 for supervised learning."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        weights = torch.randn(6, generator=generator, dtype=torch.float64).requires_grad_()
        logits = weights[:4].view(2, 2) + weights[4:]
        j = logits.softmax(dim=1).diagonal()
        goal = j.sum() if learning == "rl" else j.log().sum()
        (ascent,) = torch.autograd.grad(goal, weights, retain_graph=True)
        advantages = [logits[0, 0] - logits[0, 1], logits[1, 1] - logits[1, 0]]
        gradients = torch.stack([torch.autograd.grad(u, weights, retain_graph=True)[0] for u in advantages])
        assert (gradients @ gradients.T).tolist() == [[4, -2], [-2, 4]]
        u = np.array([float(u.detach()) for u in advantages])
        np.testing.assert_allclose(velocity(u, learning), gradients @ ascent, rtol=1e-12)


@pytest.mark.parametrize("learning", RULES)
@pytest.mark.parametrize("start", [(0.02, 0.1), (0.3, 0.2), (0.05, 0.6)])
def test_trajectories_against_another_integrator(learning: Learning, start: tuple[float, float]) -> None:
    """LSODA at a relative 1e-11, on its own right-hand side in J rather than u."""

    def rate(j: np.ndarray, _: float) -> np.ndarray:
        pull = j * (1 - j) if learning == "rl" else 1 - j
        return np.asarray(j * (1 - j) * (4 * pull - 2 * pull[::-1]))

    found = trajectory(start, learning, points=60)
    oracle = odeint(rate, start, found.time, rtol=1e-11, atol=1e-13, mxstep=50000)
    # Times are good to a relative 1e-8, and dJ/dt is at most 4 f^2 <= 1/4 for RL and 4 f (1 - J) < .6 otherwise.
    np.testing.assert_allclose(found.j, oracle, rtol=0, atol=0.6e-8 * found.time[-1] + 1e-7)
    assert found.time[0] == 0
    assert (np.diff(found.time) > 0).all()
    assert found.j.min(axis=1)[-1] == pytest.approx(0.9, abs=1e-8)
    np.testing.assert_allclose(found.j[0], start)


def test_fields_of_a_few_points() -> None:
    """By hand at (J1, J2) = (.5, .2): f = (.25, .16), du1 = 4*.25 - 2*.16 = .68, du2 = .64 - .5 = .14; supervised:
    du = 4*.5 - 2*.8 = .4 and 4*.8 - 2*.5 = 2.2. Rows are J2."""
    for learning, du in (("rl", (0.68, 0.14)), ("supervised", (0.4, 2.2))):
        found = field(11, learning)  # type: ignore[arg-type]
        assert found.j.tolist() == pytest.approx(np.arange(11) / 10)
        assert found.velocity_1[2, 5] == pytest.approx(0.25 * du[0])
        assert found.velocity_2[2, 5] == pytest.approx(0.16 * du[1])
        assert found.suppressed[2, 5] == 0
        for edge in (0, -1):
            np.testing.assert_allclose(found.velocity_1[:, edge], 0, atol=1e-15)
            np.testing.assert_allclose(found.velocity_2[edge], 0, atol=1e-15)


def test_winner_takes_all_boundaries() -> None:
    """RL: f_k < f_j/2, that is J_k < (1 - sqrt(1 - 2 f_j))/2 or above one minus that. Supervised: J_k > (1 + J_j)/2.
    201 points, so that none lies on a boundary but by chance: those within 1e-9 are left out."""
    rl, supervised = field(201, "rl"), field(201, "supervised")
    j1, j2 = rl.j[None, :], rl.j[:, None]
    inner = (j1 > 0) & (j1 < 1) & (j2 > 0) & (j2 < 1)
    low1, low2 = ((1 - np.sqrt(1 - 2 * j * (1 - j))) / 2 for j in (j2, j1))  # of J1 given J2, of J2 given J1
    first, second = (j1 < low1) | (j1 > 1 - low1), (j2 < low2) | (j2 > 1 - low2)
    near = (abs(np.minimum(j1, 1 - j1) - low1) < 1e-9) | (abs(np.minimum(j2, 1 - j2) - low2) < 1e-9) | ~inner
    np.testing.assert_array_equal((rl.suppressed == 1)[~near], np.broadcast_to(first, near.shape)[~near])
    np.testing.assert_array_equal((rl.suppressed == 2)[~near], np.broadcast_to(second, near.shape)[~near])
    first, second = j1 > (1 + j2) / 2 + 1e-9, j2 > (1 + j1) / 2 + 1e-9
    near = (abs(j1 - (1 + j2) / 2) < 1e-9) | (abs(j2 - (1 + j1) / 2) < 1e-9) | ~inner
    np.testing.assert_array_equal((supervised.suppressed == 1)[~near], first[~near])
    np.testing.assert_array_equal((supervised.suppressed == 2)[~near], second[~near])


def test_near_the_origin_the_region_is_a_wedge() -> None:
    """J_k < J_j/2 to first order: at J_j = .001 the boundary f_k = f_j/2 is at J_k = .0005 - 2.5e-7."""
    for ratio, wins in [(0.498, True), (0.502, False)]:
        small = logit(np.array([0.001 * ratio, 0.001]))
        assert (velocity(small, "rl")[0] < 0) == wins
        assert velocity(small, "supervised")[0] > 0


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
@settings(deadline=None, max_examples=25)
def test_the_field_is_the_velocity_of_the_trajectories(j1: float, j2: float) -> None:
    for learning in RULES:
        u = logit(np.array([j1, j2]))
        step = 1e-6
        moved = expit(u + step * velocity(u, learning)) - expit(u - step * velocity(u, learning))
        pull = expit(u) * expit(-u) if learning == "rl" else expit(-u)
        truth = expit(u) * expit(-u) * (4 * pull - 2 * pull[::-1])
        np.testing.assert_allclose(moved / (2 * step), truth, atol=1e-8)


@pytest.mark.parametrize("learning", RULES)
def test_basins_are_those_of_their_paths(learning: Learning) -> None:
    found = basins(5, learning)
    assert found.j.tolist() == pytest.approx(np.arange(1, 6) / 6)
    for row in range(5):
        for column in range(5):
            path = trajectory((found.j[column], found.j[row]), learning, points=5000)
            lead = path.j[:, 0] - path.j[:, 1]
            assert found.time[row, column] == pytest.approx(path.time[-1])
            # 400 points instead of 5000 on a rounded top.
            assert found.lead[row, column] == pytest.approx(abs(lead).max(), abs=1e-4)
            assert found.corner[row, column] == (1 if lead.max() > 0.5 else 2 if lead.min() < -0.5 else 0)


def test_from_near_the_origin_rl_goes_by_the_corners_and_supervised_learning_does_not() -> None:
    rl, supervised = basins(11, "rl"), basins(11, "supervised")
    start = rl.j[:4]
    assert start.tolist() == pytest.approx(np.arange(1, 5) / 12)
    wedge = start[None, :] > 2.5 * start[:, None]
    assert (rl.corner[:4, :4][wedge] == 1).all()
    assert (rl.corner[:4, :4][wedge.T] == 2).all()
    assert not supervised.corner[:4, :4].any()
    # Whatever the rule, a corner is passed by what starts there, and never by the diagonal.
    for found in (rl, supervised):
        assert (found.corner[0, -1], found.corner[-1, 0]) == (1, 2)
        assert not np.diag(found.corner).any()


def test_what_is_solved_takes_no_time() -> None:
    assert time_to_solve((0.95, 0.92), "rl") == 0
    found = trajectory((0.95, 0.92), "rl")
    assert found.time.tolist() == [0]
    assert found.j.tolist() == [[0.95, 0.92]]


def test_what_is_never_solved() -> None:
    """Gradients that oppose each other altogether cancel on the diagonal."""
    with pytest.warns(UnmeasurableWarning, match="ray") as warned:
        assert math.isnan(time_to_solve((0.2, 0.2), "rl", interference=-1.0))
    assert len(warned) == 1
    with pytest.warns(UnmeasurableWarning):
        found = trajectory((0.2, 0.2), "rl", interference=-1.0)
    assert np.isnan(found.time[-1])
    np.testing.assert_allclose(found.j[:-1], 0.2)
    with pytest.warns(UnmeasurableWarning):
        assert np.isnan(basins(1, "rl", interference=-1.0).time).all()


@pytest.mark.parametrize("start", [(0.0, 0.5), (0.5, 1.0), (math.nan, 0.5), (0.5, 0.5, 0.5)])
def test_starts_outside(start: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="strictly between"):
        time_to_solve(start, "rl")
