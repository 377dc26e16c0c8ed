"""What more cores give: threads within a run, and runs side by side."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.synchronize import Barrier

import pytest
import torch

from badger_sweeps.engines.native.engine import Native
from benchmarks.conftest import ALL_CORES
from benchmarks.figures import Figure
from benchmarks.racing import Race
from benchmarks.workloads import SIZES, Workload


@pytest.mark.parametrize("members", [1, 8, 32])
@pytest.mark.parametrize("name", SIZES)
def test_threads(name: str, members: int, benchmark, report) -> None:
    arguments = Workload.of(SIZES[name], members).given
    counts = sorted({1, 2, len(ALL_CORES)} & set(range(1, len(ALL_CORES) + 1)))
    race = Race(
        {str(count): lambda count=count: Native(threads=count).pullback(*arguments) for count in counts}, pause=0
    )
    benchmark.pedantic(race.turn, rounds=race.rounds, iterations=1)
    report(
        "threads within an engine (times faster than one)",
        size=name,
        members=members,
        **{f"{count} threads": race.ratio("1", str(count), better="higher") for count in counts[1:]},
    )


def iterations_in(seconds: float, core: int, together: Barrier, done: multiprocessing.Queue) -> None:
    os.sched_setaffinity(0, {core})
    torch.set_num_threads(1)
    engine, arguments = Native(threads=1), Workload.of(SIZES["base"], 8).given
    engine.pullback(*arguments)
    together.wait()
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        engine.pullback(*arguments)
        count += 1
    done.put(count)


def test_processes(benchmark, report) -> None:
    """Iterations that processes of one thread do in ten seconds, each on a core of its own."""
    spawn = multiprocessing.get_context("spawn")

    def rate(processes: int) -> int:
        together, done = spawn.Barrier(processes), spawn.Queue()
        cores = sorted(ALL_CORES)[:processes]
        started = [spawn.Process(target=iterations_in, args=(10.0, core, together, done)) for core in cores]
        for process in started:
            process.start()
        counts = [done.get() for _ in started]
        for process in started:
            process.join()
        return sum(counts)

    counts = [1, len(ALL_CORES), 1]  # alone before and after, against a drift of the machine
    rates = benchmark.pedantic(lambda: [rate(count) for count in counts], rounds=1, iterations=1)
    alone = (rates[0] + rates[2]) / 2
    report(
        "processes of one thread, base, 8 members (times the iterations of one)",
        processes=len(ALL_CORES),
        **{"x": Figure(rates[1] / alone, better="higher")},
    )
