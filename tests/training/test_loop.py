"""How many iterations one call does, and how many games are drawn at once: neither changes a number."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training import loop
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train_in_chunks
from badger_sweeps.training.population import DRAWN_NUMBERS, Population


def population(**training: int) -> Population:
    settings = Training(**{"iterations": 300, "batch_size": 2, "inner_steps": 2, **training})
    architecture, topology = GRU(hidden=4, message=2), RandomLinks(experts=3, links=1)
    return Population(Experiment(architecture=architecture, topology=topology, training=settings, device="cpu"))


@pytest.mark.parametrize(("seconds", "longest"), [(0.001, 51), (0.02, 3), (0.0001, 64), (1.0, 1)])
def test_a_call_has_as_many_iterations_as_fit_into_its_time(
    seconds: float, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on by so many seconds in each iteration; one more than fit into 50 ms, at most 64."""
    members = population()
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: seconds * members.iteration))
    lengths = [len(each) for each in train_in_chunks(members, lambda _: 300)]
    assert lengths[0] == 1
    assert set(lengths[1:-1]) <= {longest, longest - 1}  # the clock rounds
    assert max(lengths) <= longest


@pytest.mark.parametrize("batch_size", [2, 2**12, 2**16])
def test_no_more_is_drawn_ahead_than_fits_into_memory(batch_size: int) -> None:
    members = population(batch_size=batch_size)
    each, ahead = members.draw_games().targets.numel(), len(members._drawn_ahead)
    assert ahead == max(1, min(64, DRAWN_NUMBERS // each))
