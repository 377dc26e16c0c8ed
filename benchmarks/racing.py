"""Timing side by side: contestants take turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Mapping

import torch

from benchmarks.figures import Better, Figure

PAUSE = 0.02
"""Seconds before a turn, in which the threads of the last contestant go to sleep."""
BUDGET = 20.0
"""About how many seconds a race may take."""


class Race:
    """Times each contestant once per turn, right after a call that is not timed.

    Args:
        contestants: what to call, by name.
        pause: seconds before each turn. Cores that slept that long wake up late.
    """

    def __init__(self, contestants: Mapping[str, Callable[[], object]], pause: float = PAUSE) -> None:
        self._contestants = contestants
        self._pause = pause
        self._seconds: dict[str, list[float]] = {name: [] for name in contestants}
        started = time.perf_counter()
        self.turn()
        self.rounds = max(3, min(15, int(BUDGET / (time.perf_counter() - started))))
        """How many turns fit into the budget."""
        self._seconds = {name: [] for name in contestants}

    def turn(self) -> None:
        """Everybody once."""
        for name, call in self._contestants.items():
            time.sleep(self._pause)
            call()
            started = time.perf_counter()
            call()
            self._seconds[name].append(time.perf_counter() - started)

    def median(self, name: str, better: Better | None = None) -> Figure:
        """Seconds of a call."""
        return Figure.of(self._seconds[name], better)

    def ratio(self, slow: str, fast: str, better: Better | None = None) -> Figure:
        """How many times longer `slow` takes than `fast`: the median over turns of the ratio within a turn."""
        return Figure.of([a / b for a, b in zip(self._seconds[slow], self._seconds[fast], strict=True)], better)


class Sgemm:
    """The reference speed: products of square matrices by the faster one of PyTorch's two libraries.

    ``torch.mm`` is MKL's product, which on processors of AMD may reach less than half of oneDNN's.
    """

    SIDE, TIMES = 768, 6
    flops = TIMES * 2 * SIDE**3

    def __init__(self) -> None:
        a, b = torch.randn(2, self.SIDE, self.SIDE, generator=torch.Generator().manual_seed(0))
        out = torch.empty(self.SIDE, self.SIDE)
        products: list[Callable[[], object]] = [lambda: torch.mm(a, b, out=out)]
        if torch.backends.mkldnn.is_available():
            packed = a.to_mkldnn(), b.mT.contiguous().to_mkldnn()
            products.append(lambda: torch.nn.functional.linear(*packed))
        self._product = min(products, key=lambda product: min(timeit.repeat(product, number=1, repeat=20)))

    def __call__(self) -> None:
        for _ in range(self.TIMES):
            self._product()
