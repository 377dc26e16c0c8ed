"""Iterations of whole populations on a GPU, with the rollout as a CUDA graph."""

from __future__ import annotations

import time

import pytest
import torch

from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
from benchmarks.workloads import SIZES, experiment

WARM_UP, ITERATIONS = 5, 50


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("members", [1, 4, 16, 64, 256, 1024])
def test_population(members: int, benchmark, report) -> None:
    population = Population(experiment(SIZES["base"], members, WARM_UP + ITERATIONS, device="cuda"))
    records = train(population)
    for _ in range(WARM_UP):
        next(records)
    torch.cuda.reset_peak_memory_stats()

    def rest() -> float:
        started = time.perf_counter()
        for _ in records:
            pass
        torch.cuda.synchronize()
        return time.perf_counter() - started

    seconds = benchmark.pedantic(rest, rounds=1, iterations=1)
    report(
        f"whole iterations at base size on {torch.cuda.get_device_name()}",
        members=members,
        **{"iterations/s": ITERATIONS / seconds, "member-iterations/s": members * ITERATIONS / seconds},
        **{"peak MB": torch.cuda.max_memory_allocated() / 2**20},
    )
