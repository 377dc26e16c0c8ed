"""Counter-based random numbers: known answers, independence, distributions, and what a number does not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from badger_sweeps.core.counter_random import RandomBatches, philox
from badger_sweeps.core.random_streams import Purpose

# Of the authors' Random123 (tests/kat_vectors): counter, key, answer.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def batches(*seeds: int, batch: int = 0) -> RandomBatches:
    return RandomBatches.of(seeds, Purpose.STATES, batch=batch)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_known_answers(counter: tuple, key: tuple, answer: tuple) -> None:
    c0, c1, c2, k0, k1 = (torch.tensor([word]) for word in (*counter[:3], *key))
    assert tuple(int(word) for word in philox(c0, c1, c2, counter[3], (k0, k1))) == answer


def test_a_number_depends_on_seed_purpose_batch_draw_row_and_position_alone() -> None:
    """Not on the seeds, batches and rows beside it, nor on how many numbers are drawn at once."""
    one = batches(5, batch=7).normal(9, 3, 11)
    beside = batches(2, 5, 8).of_iterations(6, 3)  # iterations 6, 7 and 8 of three members
    together = beside.normal(200, 3, 11)
    assert torch.equal(together[4, :9], one[0])
    assert torch.equal(beside.at(slice(4, 5)).normal(9, 3, 11), one)
    others = [
        batches(6, batch=7).normal(9, 3, 11),
        batches(5, batch=8).normal(9, 3, 11),
        batches(5, batch=7).normal(9, 3, 11, draw=1),
        RandomBatches.of((5,), Purpose.TARGETS, batch=7).normal(9, 3, 11),
        one.roll(1, dims=1),
    ]
    for other in others:
        assert not (other == one).any()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = batches(1, 2).normal(100, 5)
    monkeypatch.setattr("badger_sweeps.core.counter_random.CHUNK", 7)
    assert torch.equal(batches(1, 2).normal(100, 5), whole)


def test_shapes() -> None:
    assert batches(1, 2).uniform(0, 3).shape == (2, 0, 3)
    assert batches(1, 2).normal(4, 3, 5).shape == (2, 4, 3, 5)
    assert batches(1).uniform(4).shape == (1, 4)


def test_uniform_numbers() -> None:
    """Kolmogorov-Smirnov and chi-square of the lowest bits: each p is below 0.001 once in a thousand seeds."""
    drawn = batches(3).uniform(1000, 1000).double().flatten().numpy()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    lowest = (drawn * 2**24).astype(np.int64) % 16
    assert stats.chisquare(np.bincount(lowest, minlength=16)).pvalue > 1e-3


def test_normal_numbers() -> None:
    """Against the normal distribution: all of a million, those beyond 3, and squares of pairs from one counter."""
    drawn = batches(4).normal(1000, 1000).double()
    flat = drawn.flatten().numpy()
    assert stats.kstest(flat, "norm").pvalue > 1e-3
    beyond = int((abs(flat) > 3).sum())
    assert stats.binomtest(beyond, len(flat), 2 * stats.norm.sf(3)).pvalue > 1e-3
    for power, spread in ((1, 1), (2, 2), (3, 15), (4, 96)):  # variances of x, x^2, x^3, x^4
        expected = (0, 1, 0, 3)[power - 1]
        assert abs((flat**power).mean() - expected) < 4 * math.sqrt(spread / len(flat))
    quarters = drawn.view(1000, 4, 250).transpose(1, 2).reshape(-1, 4).numpy()  # the four numbers of each counter
    for first in range(4):
        for second in range(first):
            for power in (1, 2):
                x, y = quarters[:, first] ** power, quarters[:, second] ** power
                assert abs(np.corrcoef(x, y)[0, 1]) < 4 / math.sqrt(len(x))


def test_neighbours_are_uncorrelated() -> None:
    """Seeds, batches, rows and positions that follow on each other; four standard errors of 200,000 pairs."""
    drawn = (
        RandomBatches.of(range(21), Purpose.STATES).of_iterations(0, 21).normal(21, 21).double().view(21, 21, 21, 21)
    )
    for axis in range(4):
        one, other = drawn.narrow(axis, 0, 20).flatten(), drawn.narrow(axis, 1, 20).flatten()
        assert abs(float((one * other).mean())) < 4 / math.sqrt(len(one))


def test_the_transformation_is_that_of_box_and_muller_in_float64() -> None:
    """Independently in float64, from the same words: differences of a few roundings of float32."""
    drawn = batches(4).normal(200, 64)[0].double().numpy()
    keys, number = batches(4).keys[:, None].unbind(-1), torch.zeros(1, 1, dtype=torch.int64)
    words = philox(torch.arange(16)[None], torch.arange(200)[:, None], number, 0, keys)
    w0, w1, w2, w3 = (word.double().numpy() for word in words)

    def pair(w: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        radius = np.sqrt(-2 * np.log((w // 2 + 0.5) / 2**31))
        angle = (v // 64 % 2**24 / 2**24 - 0.5) * np.pi / 2 + v // 2**30 * np.pi / 2
        return radius * np.cos(angle), radius * np.sin(angle)

    expected = np.concatenate([*pair(w0, w1), *pair(w2, w3)], axis=1)
    np.testing.assert_allclose(drawn, expected, atol=2e-6, rtol=0)
