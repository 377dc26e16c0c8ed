"""Paths through [0, 1]^D whose sequentiality is known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from torch import Tensor

from badger_sweeps.measures.landscape.rays import trajectory
from badger_sweeps.measures.landscape.sequentiality import sequentiality
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning


def path(*corners: tuple[float, ...], between: int = 1) -> Tensor:
    """Errors of a member that goes straight from corner to corner of J."""
    pieces = [
        np.linspace(one, other, between, endpoint=False) for one, other in pairwise(np.array(corners, dtype=float))
    ]
    return torch.from_numpy(1 - np.concatenate([*pieces, np.array(corners[-1:], dtype=float)]))[None]


@pytest.mark.parametrize("between", [1, 2, 7])
@pytest.mark.parametrize(
    ("corners", "s", "reached"),
    [
        ([(0, 0), (1, 1)], 0, 2),
        ([(0, 0), (1, 0), (1, 1)], 1, 2),
        ([(0, 0), (0, 1), (1, 1)], 1, 2),
        # Parallel to the diagonal at the distance a: a^2/2 to get there, (2 - 2a)*a along, a^2/2 back: 2a - a^2.
        ([(0, 0), (0.4, 0), (1, 0.6), (1, 1)], 0.64, 2),
        # One fifth of the way along the diagonal, then axis by axis through a square of side .8.
        ([(0, 0), (0.2, 0.2), (1, 0.2), (1, 1)], 0.64, 2),
        # Across the diagonal at half of the way: |x| goes from .5 by 0 to .5 while J1 + J2 goes from .5 to 1.5.
        ([(0, 0), (0.5, 0), (0.5, 1), (1, 1)], 0.125 + 0.25 + 0.125, 2),
        # Not finished: r^2/2 up to r = 1, 1 - (2 - r)^2/2 beyond.
        ([(0, 0), (0.6, 0)], 0.18, 0.6),
        ([(0, 0), (1, 0), (1, 0.5)], 0.875, 1.5),
        # Forgotten and learned again: counts once, whichever way back.
        ([(0, 0), (0.5, 0), (0, 0), (1, 0), (1, 1)], 1, 2),
        ([(0, 0), (1, 0), (0.2, 0), (0.2, 0.8), (1, 1)], 0.5 + 0.6 / 2, 2),
    ],
)
def test_straight_paths(corners: list[tuple[float, float]], s: float, reached: float, between: int) -> None:
    """Worked out by hand, and the same however finely the lines are sampled. In the last one J1 + J2 exceeds 1 again
    only on the way from (.2, .8), at |J1 - J2| = .6, down to 0 at (1, 1): .5 + .6/2."""
    found = sequentiality(path(*corners, between=between))
    assert found.sequentiality.item() == pytest.approx(s, abs=1e-12)
    assert found.reached.item() == pytest.approx(reached)


@pytest.mark.parametrize("power", [2, 3, 5])
def test_curved_paths(power: int) -> None:
    """J2 = J1^p: S = integral of (t - t^p) d(t + t^p) from 0 to 1 = 1/2 - 1/(p+1) + p/(p+1) - 1/2 = (p-1)/(p+1)."""
    t = torch.linspace(0, 1, 4001, dtype=torch.float64)
    found = sequentiality((1 - torch.stack([t, t**power], dim=1))[None])
    # Straight lines over steps of h = 1/4000 are off by the order of h^2.
    assert found.sequentiality.item() == pytest.approx((power - 1) / (power + 1), abs=1e-6)


@given(st.integers(0, 10_000), st.integers(2, 12))
@settings(deadline=None, max_examples=40)
def test_against_numerical_integration(seed: int, points: int) -> None:
    """|J1 - J2| as a function of J1 + J2, along the parts of random paths that exceed what came before."""
    rng = np.random.default_rng(seed)
    j = rng.random((points, 2))
    total, highest = 0.0, j[0].sum()
    for before, after in pairwise(j):
        if after.sum() > highest:

            def gap(level: float, before: np.ndarray = before, after: np.ndarray = after) -> float:
                share = (level - before.sum()) / (after.sum() - before.sum())
                return abs(float(np.subtract(*(before + share * (after - before)))))

            apart = [float(np.subtract(*end)) for end in (before, after)]
            kink = before.sum() + apart[0] / (apart[0] - apart[1]) * (after.sum() - before.sum())  # there the gap is 0
            inside = [kink] if highest < kink < after.sum() else None
            total += quad(gap, highest, after.sum(), points=inside, limit=200)[0]
            highest = after.sum()
    found = sequentiality(torch.from_numpy(1 - j)[None])
    assert found.sequentiality.item() == pytest.approx(total, abs=1e-6)
    assert found.reached.item() == pytest.approx(highest)


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(deadline=None, max_examples=30)
def test_bounded_and_blind_to_names_and_pace(seed: int, dims: int) -> None:
    """S is at most 1, and what any path can have by `reached`; neither the order of dimensions nor standing still,
    nor errors above chance, change it."""
    rng = np.random.default_rng(seed)
    loss = torch.from_numpy(rng.random((2, 30, dims)) * 1.3)
    found = sequentiality(loss)
    shuffled = sequentiality(loss[..., torch.from_numpy(rng.permutation(dims))])
    slower = sequentiality(loss.repeat_interleave(3, dim=1))
    clamped = sequentiality(loss.clamp(max=1))
    assert ((found.sequentiality >= 0) & (found.sequentiality <= 1)).all()
    for other in (shuffled, slower, clamped):
        torch.testing.assert_close(other.sequentiality, found.sequentiality)
        torch.testing.assert_close(other.reached, found.reached)
    for other in (shuffled, slower):
        torch.testing.assert_close(other.suppression, found.suppression)


@pytest.mark.parametrize("dims", [2, 3, 5])
def test_more_dimensions(dims: int) -> None:
    """One by one 1, all together 0, one first and then the rest together 2/D (D - 1 of the D(D - 1)/2 pairs)."""
    one_by_one = path(*np.tril(np.ones((dims + 1, dims)), -1).tolist())
    together = path((0,) * dims, (1,) * dims)
    one_first = path((0,) * dims, (1,) + (0,) * (dims - 1), (1,) * dims)
    for loss, truth in [(one_by_one, 1), (together, 0), (one_first, 2 / dims)]:
        found = sequentiality(loss)
        assert found.sequentiality.item() == pytest.approx(truth)
        assert found.reached.item() == pytest.approx(2)


def test_the_losers_drop() -> None:
    """The winner rises while the loser falls from .3 to .1; the winner's own slip of .15 afterwards, and the loser's
    below chance before it rose, are drops but not suppression."""
    corners = [(0.1, 0), (0.3, 0.2), (0.1, 0.9), (0.5, 0.75), (1, 1)]
    found = sequentiality(path(*corners, between=4))
    assert found.suppression.item() == pytest.approx(0.2)
    assert found.drops.tolist()[0] == pytest.approx([0.2, 0.15])
    unsuppressed = sequentiality(path((0, 0), (1, 0), (1, 0.5), (1, 0.2), (1, 1)))
    assert unsuppressed.suppression.item() == 0
    assert unsuppressed.drops.tolist()[0] == pytest.approx([0, 0.3])
    below_chance = sequentiality(path((0, 0), (0.5, -0.2), (1, 0), (1, 1)))
    assert below_chance.suppression.item() == pytest.approx(0.2)


def test_ray_interference_is_sequential_and_suppresses() -> None:
    """The toy system from (.02, .10): RL all but along the axes with the loser unlearned, supervised learning all but
    along the diagonal without. Its loser falls from .02 to the lowest J1 on its path."""
    paths = {rule: trajectory((0.02, 0.1), rule, level=0.999, points=4000).j for rule in ("rl", "supervised")}
    rl, supervised = (sequentiality(torch.from_numpy(1 - paths[rule])[None]) for rule in ("rl", "supervised"))
    assert rl.sequentiality.item() > 0.9
    assert rl.suppression.item() == pytest.approx(0.02 - paths["rl"][:, 0].min())
    assert supervised.sequentiality.item() < 0.2
    assert supervised.suppression.item() == 0


def test_noise_pulls_s_from_its_ends_by_as_much_as_is_said() -> None:
    """Over 200 runs a case. The mean of |J1 - J2| for noise of deviation s would add 2*s*2/sqrt(pi) = 2.26*s at most;
    2.6*s allows for the wider reach of the largest totals."""
    for deviation in (0.02, 0.05):
        for points in (50, 1000):
            t = torch.linspace(0, 2, points, dtype=torch.float64)
            noise = deviation * torch.randn(200, points, 2, generator=torch.Generator().manual_seed(0)).double()
            together = torch.stack([t / 2, t / 2], dim=1)
            one_by_one = torch.stack([t.clamp(max=1), (t - 1).clamp(min=0)], dim=1)
            assert 0 < sequentiality(1 - together - noise).sequentiality.mean() < 2.6 * deviation
            assert -2.6 * deviation < sequentiality(1 - one_by_one - noise).sequentiality.mean() - 1 < 0
            drops = sequentiality(1 - 0 * together - noise).drops.mean() / deviation
            assert 3.5 < drops < 6.5


def test_block_means() -> None:
    loss = torch.rand(2, 23, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    means = loss[:, :20].reshape(2, 4, 5, 3).mean(dim=2)
    for values, truth in zip(sequentiality(loss, block=5), sequentiality(means), strict=True):
        torch.testing.assert_close(values, truth)
    with pytest.raises(ValueError, match="block"):
        sequentiality(loss, block=0)


def test_each_member_for_itself_and_in_either_precision() -> None:
    loss = torch.rand(4, 40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    together, single = sequentiality(loss), sequentiality(loss.float())
    for name, values in together._asdict().items():
        alone = torch.cat([getattr(sequentiality(loss[[p]]), name) for p in range(4)])
        assert torch.equal(values, alone)
        torch.testing.assert_close(getattr(single, name), values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_members_with_nan(bad: float) -> None:
    loss = torch.rand(3, 40, 3, generator=torch.Generator().manual_seed(0))
    whole = sequentiality(loss)
    loss[1, 39, 0] = bad
    with pytest.warns(UnmeasurableWarning, match="sequentiality") as warned:
        found = sequentiality(loss, block=1)
    assert len(warned) == 1
    for name, values in found._asdict().items():
        assert values[1].isnan().all()
        assert torch.equal(values[[0, 2]], getattr(whole, name)[[0, 2]])


def test_too_short_and_too_few() -> None:
    for loss, block in [(torch.ones(2, 1, 3), 1), (torch.ones(2, 9, 3), 5), (torch.ones(2, 0, 3), 1)]:
        with pytest.warns(UnmeasurableWarning) as warned:
            found = sequentiality(loss, block=block)
        assert len(warned) == 1
        assert found.drops.shape == (2, 3)
        assert all(values.isnan().all() for values in found)
    with pytest.warns(UnmeasurableWarning):
        single = sequentiality(path((0,), (0.5,), (0.3,)))
    assert single.sequentiality.isnan().all()
    assert single.drops.tolist()[0] == pytest.approx([0.2])
