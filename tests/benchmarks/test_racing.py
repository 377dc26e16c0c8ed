"""The count of useful operations, the arithmetic of a race, and peers that compute the same."""

from __future__ import annotations

import pytest
from torch.utils.flop_counter import FlopCounterMode

from badger_sweeps.engines.reference import Reference
from benchmarks.figures import Figure
from benchmarks.racing import Race
from benchmarks.workloads import SIZES, Size, Workload


@pytest.mark.parametrize("name", SIZES)
def test_useful_operations_are_those_of_the_forward_pass_times_three(name: str) -> None:
    """PyTorch's own counter, which counts what its matrix products do. One game and two steps of each size."""
    full = SIZES[name]
    size = Size(1, full.experts, full.hidden, full.message, 2, full.dims, full.links)
    workload = Workload.of(size, members=1)
    with FlopCounterMode(display=False) as counter:
        Reference().rollout(*workload.given)
    assert 3 * counter.get_total_flops() == size.flops
    assert full.flops == size.flops * full.games * full.steps // 2


def test_a_race_gives_medians_within_turns() -> None:
    """With a clock of our own: the machine is ten times slower in one turn of three, for both."""
    race = Race({"slow": lambda: None, "fast": lambda: None}, pause=0)
    race._seconds = {"slow": [4.0, 40.0, 5.0], "fast": [1.0, 10.0, 1.0]}
    assert race.median("slow") == Figure(5.0, 4.5, 22.5)
    assert race.ratio("slow", "fast", better="higher") == Figure(4.0, 4.0, 4.5, "higher")
