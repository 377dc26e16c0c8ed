"""Whole trainings that take turns: each in a process of its own, which sleeps while another one has its turn.

This module imports neither PyTorch nor JAX: a contestant's process sets threads and cores before they are loaded.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import statistics
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.figures import Better, Figure

SETTLE, LONGEST_SETTLE = 0.1, 10.0
"""Seconds of rest after which a contestant is idle if it computed nothing meanwhile; the longest time until it is."""
TICK = 0.015
"""Seconds of computing that do not count as such: the operating system counts in hundredths."""
FEWEST_TURNS = 3
PATIENCE = 600.0
"""Seconds that a start, with its compilation, or a turn may take."""


@dataclass(frozen=True)
class Case:
    """What a contestant trains, and how.

    Attributes:
        module: the module whose `compete(case, turns)` trains.
        size: a name in `workloads.SIZES`.
        members: the size of the population.
        iterations: those of the whole training.
        turn: iterations of a turn.
        cores: the cores that the process and its threads are pinned to.
        threads: the threads it may compute with.
        folder: a folder for its files.
        options: further settings that the module knows.
    """

    module: str
    size: str
    members: int
    iterations: int
    turn: int
    cores: tuple[int, ...]
    threads: int
    folder: Path
    options: Mapping[str, Any]


class Turns:
    """In a contestant's process: waits for its turns, and tells how long they took."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._born = time.perf_counter()
        self._began: float | None = None

    def ready(self, compilation: float = 0.0) -> None:
        """Tell that training can begin, and how many seconds compilation took."""
        self._connection.send(("ready", {"start": time.perf_counter() - self._born, "compilation": compilation}))

    def wait(self) -> int:
        """End the turn that is going on, and wait for the next one: its number of iterations, or 0 for the end."""
        self.over()
        iterations = int(self._connection.recv())
        if iterations:
            self._began = time.perf_counter()
        return iterations

    def over(self) -> None:
        """End the turn that is going on, if there is one."""
        if self._began is not None:
            self._connection.send(("turn", time.perf_counter() - self._began))
        self._began = None

    def end(self, losses: NDArray[np.float32]) -> None:
        """Tell the losses of all iterations, shape (iterations, members), and the peak of the resident memory."""
        self.over()
        self._connection.send(("end", {"losses": losses, "MB": peak_memory()}))


def peak_memory() -> float:
    """The peak of this process's resident memory, in MB of 2^20 bytes; that of its children is not counted."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def serve(connection: Connection, case: Case) -> None:
    """The whole life of a contestant's process."""
    turns = Turns(connection)
    try:
        os.sched_setaffinity(0, case.cores)
        os.environ |= {name: str(case.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # compilation takes as long as the first time
        importlib.import_module(case.module).compete(case, turns)
    except Exception:
        connection.send(("failed", traceback.format_exc()))


class Contestant:
    """In the benchmark's process: a training that does some iterations whenever it is told to.

    Attributes:
        case: what it trains.
        seconds: of an iteration in each turn, with what its process and its services computed after the turn.
        start: seconds from the start of its process until it could train, and of these the seconds of compilation.
        losses: of every iteration, shape (iterations, members); empty before `close`.
        peak: the peak of its resident memory in MB; 0 before `close`.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.seconds: list[float] = []
        self.losses: NDArray[np.float32] = np.empty((0, case.members), np.float32)
        self.peak = 0.0
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(theirs, case), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.start: dict[str, float] = self._answer("ready")
        except BaseException:  # an interruption as well: nobody else knows the process yet
            self.kill()
            raise

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return len(self.seconds) * self.case.turn >= self.case.iterations

    def turn(self) -> None:
        """Let it train for one turn, and wait until it is idle.

        What is left for later, such as the work of W&B's service, belongs to the turn as well.
        """
        self._connection.send(self.case.turn)
        seconds = self._answer("turn")
        self.seconds.append((seconds + self._afterwards()) / self.case.turn)

    def _afterwards(self) -> float:
        """Seconds of computing by the process and its services from now until they are idle."""
        began = last = self._computed()
        deadline = time.monotonic() + LONGEST_SETTLE
        while time.monotonic() < deadline:
            time.sleep(SETTLE)
            now = self._computed()
            if now - last < TICK:
                break
            last = now
        return last - began

    def _computed(self) -> float:
        """Seconds that the process and those below it have computed so far."""
        total = 0.0
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    total += times.user + times.system
        return total

    def close(self) -> None:
        """End the training, and receive what it measured."""
        if not self.finished:
            self._connection.send(0)
        answer = self._answer("end")
        self.losses, self.peak = answer["losses"], answer["MB"]
        self._process.join(PATIENCE)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _answer(self, expected: str) -> Any:
        if not self._connection.poll(PATIENCE):
            raise TimeoutError(f"{self.case.module} has not answered for {PATIENCE:.0f} s")
        try:
            kind, content = self._connection.recv()
        except EOFError:
            raise RuntimeError(f"the process of {self.case.module} died") from None
        if kind != expected:
            raise RuntimeError(f"{self.case.module}: expected {expected!r}; found {kind!r}: {content}")
        return content


class TrainingRace:
    """Trainings that take turns until the first one has done all of its iterations, or time is up.

    The first turn of each is not timed: it allocates memory and fills caches.

    Args:
        contestants: by name; the order is that of the turns.
        budget: about how many seconds the turns may take; there are at least `FEWEST_TURNS` after the first.
    """

    def __init__(self, contestants: Mapping[str, Contestant], budget: float) -> None:
        self._contestants, self._budget = contestants, budget

    def run(self) -> None:
        """Train, and collect what the contestants measured."""
        started, turns = time.monotonic(), 0
        while not any(contestant.finished for contestant in self._contestants.values()):
            lasted = time.monotonic() - started
            if turns > FEWEST_TURNS and lasted + lasted / turns > self._budget:
                break
            for contestant in self._contestants.values():
                contestant.turn()
            turns += 1
        for contestant in self._contestants.values():
            contestant.close()

    @property
    def turns(self) -> int:
        """The number of turns that were timed."""
        return len(self._timed(next(iter(self._contestants))))

    def median(self, name: str, better: Better | None = None) -> Figure:
        """Seconds of an iteration."""
        return Figure.of(self._timed(name), better)

    def ratio(self, slow: str, fast: str, better: Better | None = None) -> Figure:
        """How many times longer an iteration of `slow` takes than one of `fast`: the median of ratios within a turn."""
        pairs = zip(self._timed(slow), self._timed(fast), strict=True)
        return Figure.of([a / b for a, b in pairs], better)

    def ratio_of_sums(self, slow: str, fast: str) -> float:
        """The same of all timed turns together, in which what is rare and slow counts as well."""
        return statistics.fmean(self._timed(slow)) / statistics.fmean(self._timed(fast))

    def excess(self, slow: str, fast: str, better: Better | None = None) -> Figure:
        """How much longer an iteration of `slow` takes than one of `fast`, in percent, as `ratio` is measured."""
        pairs = zip(self._timed(slow), self._timed(fast), strict=True)
        return Figure.of([100 * (a / b - 1) for a, b in pairs], better)

    def _timed(self, name: str) -> list[float]:
        return self._contestants[name].seconds[1:]


@contextmanager
def started(cases: Mapping[str, Case]) -> Iterator[dict[str, Contestant]]:
    """Contestants that are ready to train; their processes end with this context."""
    contestants: dict[str, Contestant] = {}
    try:
        for name, case in cases.items():
            case.folder.mkdir(parents=True)
            contestants[name] = Contestant(case)
        yield contestants
    finally:
        for contestant in contestants.values():
            contestant.kill()


def learn_alike(ours: NDArray[np.float32], peers: NDArray[np.float32]) -> bool:
    """Whether a peer's losses, in the second half of its iterations, are distributed over members as ours are.

    Both start with the same weights and play other games, and a member may leave its plateau long before another: the
    rank test of Mann and Whitney asks, at p = .001, whether either side's members are the slower ones.

    Args:
        ours: losses of at least as many iterations, shape (iterations, members).
        peers: the peer's losses, shape (iterations, members).
    """
    from scipy import stats  # its BLAS must not be loaded before a process has set its threads

    last = slice(len(peers) // 2, len(peers))
    return bool(stats.mannwhitneyu(ours[last].mean(axis=0), peers[last].mean(axis=0)).pvalue > 0.001)
