"""Counter-based random numbers: each is a function of seed, purpose, batch and position (Philox4x32-10).

A generator with a state gives its numbers one after another. Here any number can be computed without those before it,
where and when it is used: the native kernel draws the initial states of the games that it plays next, a GPU draws them
in parallel, and a checkpoint needs no state of a generator. All engines and devices give the same bits: `uniform` and
`normal` are made of integer operations and of float32 additions, products and square roots, which IEEE 754 rounds in
one way only. ``engines/native/kernel/random.h`` is the same in C++.

Source: Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2, 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
"""Those of the first and of the third word of the counter."""
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
"""Added to the two words of the key after each round."""
LOW_WORD = 0xFFFFFFFF
"""The lower 32 bits of an integer of 64."""
WORDS_PER_COUNTER = 4
CHUNK = 2**15
"""Counters that are computed at once on a CPU, about, so that intermediate results stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class RandomBatches:
    """The random numbers of some batches of games: of one batch of every member, or of several batches of each.

    A number depends on the member's seed, the purpose, the number of the batch, the number of the draw within the
    batch, the row (a game) and the position within the row; not on the members, batches or rows beside it.

    Attributes:
        keys: two words for each batch, which its seed and purpose determine.
        batches: the number of each batch, below 2^32.
    """

    keys: Int[Tensor, "batch 2"]
    batches: Int[Tensor, " batch"]

    @classmethod
    def of(
        cls, seeds: Sequence[int], purpose: Purpose, device: torch.device | str = "cpu", batch: int = 0
    ) -> RandomBatches:
        """One batch of every member.

        `seed` and `purpose` are hashed together (NumPy's `SeedSequence`), as those of `random_stream` are.
        """
        words = [np.random.SeedSequence(seed, spawn_key=(int(purpose),)).generate_state(2) for seed in seeds]
        keys = torch.from_numpy(np.stack(words).astype(np.int64)).to(device)
        return cls(keys, torch.full((len(keys),), batch, dtype=torch.int64, device=device))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def device(self) -> torch.device:
        """Where the numbers are computed."""
        return self.keys.device

    def of_iterations(self, first: int, count: int) -> RandomBatches:
        """The batches number `first` to `first + count - 1` of every member, all members of a batch together."""
        numbers = torch.arange(first, first + count, device=self.device).repeat_interleave(len(self))
        return RandomBatches(self.keys.repeat(count, 1), numbers)

    def at(self, which: slice | Int[Tensor, " chosen"]) -> RandomBatches:
        """Some of the batches."""
        return replace(self, keys=self.keys[which], batches=self.batches[which])

    def uniform(self, rows: int, *shape: int, draw: int = 0) -> Float[Tensor, "batch row *shape"]:
        """Multiples of 2^-24, uniform in [0, 1).

        Args:
            rows: number of rows; the numbers of a row do not depend on it.
            shape: the shape of a row.
            draw: number of the draw; numbers that are to be independent need different ones.
        """
        return self._rows(_uniform, rows, shape, draw)

    def normal(self, rows: int, *shape: int, draw: int = 0) -> Float[Tensor, "batch row *shape"]:
        """Standard normal numbers (Box & Muller 1958), below 6.7 in absolute value; the arguments of `uniform`."""
        return self._rows(_normal, rows, shape, draw)

    def _rows(self, transformed, rows: int, shape: tuple[int, ...], draw: int) -> Tensor:  # type: ignore[no-untyped-def]
        """A row of n numbers has m = ceil(n / 4) counters; number j of counter c is at the position j*m + c."""
        numbers = math.prod(shape)
        counters = -(-numbers // WORDS_PER_COUNTER)
        drawn = torch.empty(len(self), rows, WORDS_PER_COUNTER * counters, device=self.device)
        chunk = CHUNK if self.device.type == "cpu" else len(self) * rows * counters
        step = max(1, min(rows, chunk // max(1, counters)))
        together = max(1, chunk // max(1, step * counters))
        each = torch.arange(counters, device=self.device)
        for batch in range(0, len(self), together):
            key, number = self.keys[batch : batch + together], self.batches[batch : batch + together]
            into = drawn[batch : batch + together]
            for first in range(0, rows, step):
                row = torch.arange(first, min(rows, first + step), device=self.device)
                words = philox(each, row[:, None], number[:, None, None], draw, key[:, None, None].unbind(-1))
                into[:, first : first + step] = torch.cat(transformed(*words), dim=-1)
        return drawn[..., :numbers].reshape(len(self), rows, *shape)


Words = tuple[Tensor, Tensor, Tensor, Tensor]
"""Four tensors of int64 that hold words of 32 bits."""


def philox(c0: Tensor, c1: Tensor, c2: Tensor, c3: int, key: tuple[Tensor, ...]) -> Words:
    """Philox4x32-10: four random words for each counter (c0, c1, c2, c3), whose words are broadcast, under a key."""
    k0, k1 = key
    shape = (c0 + c1 + c2 + k0).shape
    x0, x1, x2 = c0.expand(shape), c1.expand(shape), c2.expand(shape)
    x3 = torch.full_like(x0, c3)
    for _ in range(ROUNDS):
        low, high = x0 * MULTIPLIERS[0], x2 * MULTIPLIERS[1]  # of 64 bits; what is above the 63rd is cut off below
        x0, x1, x2, x3 = (
            ((high >> 32) & LOW_WORD) ^ x1 ^ k0,
            high & LOW_WORD,
            ((low >> 32) & LOW_WORD) ^ x3 ^ k1,
            low & LOW_WORD,
        )
        k0, k1 = (k0 + KEY_STEPS[0]) & LOW_WORD, (k1 + KEY_STEPS[1]) & LOW_WORD
    return x0, x1, x2, x3


def _uniform(*words: Tensor) -> tuple[Tensor, ...]:
    return tuple((word >> 8).float() * 2**-24 for word in words)


def _normal(w0: Tensor, w1: Tensor, w2: Tensor, w3: Tensor) -> tuple[Tensor, ...]:
    return *_box_muller(w0, w1), *_box_muller(w2, w3)


def _box_muller(radius: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """r cos(a) and r sin(a) with r = sqrt(-2 log u); u in (0, 1] and the angle a from one word each.

    Every line is one rounding after another, as in the kernel: no library's logarithm or cosine, no fused operation.
    """
    u = ((radius >> 1).float() + 0.5) * 2**-31
    # PyTorch's square root of float32 may be one unit off; that of float64, rounded to float32, never is.
    r = (_log(u) * -2).clamp(min=0).double().sqrt().float()
    # The upper two bits choose a quarter of the circle, the next 24 a position within it, from -pi/4 to pi/4.
    x = (((angle >> 6) & 0xFFFFFF).float() * 2**-24 - 0.5) * (math.pi / 2)
    cosine, sine = _cosine_and_sine(x)
    quarter = angle >> 30
    swapped = (quarter & 1).bool()
    first, second = torch.where(swapped, sine, cosine), torch.where(swapped, cosine, sine)
    first = torch.where((quarter == 1) | (quarter == 2), -first, first)
    second = torch.where(quarter >= 2, -second, second)
    return r * first, r * second


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Horner's rule, from the highest power on."""
    value = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


# The polynomials of Cephes' logf, sinf and cosf (S. L. Moshier); relative errors are below 2e-7.
LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


def _log(u: Tensor) -> Tensor:
    """The natural logarithm of normal float32 numbers above 0."""
    bits = u.view(torch.int32)
    exponent = (bits >> 23) - 126
    mantissa = ((bits & 0x7FFFFF) | 0x3F000000).view(torch.float32)  # in [0.5, 1)
    small = mantissa < 0.707106781186547524
    e = torch.where(small, exponent - 1, exponent).float()
    f = torch.where(small, mantissa + mantissa, mantissa) - 1
    square = f * f
    y = _polynomial(f, LOG) * f * square
    y = y + e * -2.12194440e-4
    y = y + square * -0.5
    y = f + y
    return y + e * 0.693359375


def _cosine_and_sine(x: Tensor) -> tuple[Tensor, Tensor]:
    """Of angles from -pi/4 to pi/4."""
    square = x * x
    sine = _polynomial(square, SINE) * square * x + x
    cosine = _polynomial(square, COSINE) * square * square
    return (cosine - square * 0.5) + 1, sine
