"""Measures taken from a few members at a time: the same values, in memory that does not grow with the population."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.evaluation import chunks, context
from badger_sweeps.evaluation.chunks import EvaluationChunks
from badger_sweeps.evaluation.games import EvaluationGames
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment
from tests.evaluation.populations import MEASURES, experiment, measure_named, trained

ROUNDED = {"gradients", "inner_chaos"}
"""Measures that PyTorch differentiates for all members of a chunk at once."""
STANDARD = {"fixed_loss", "guesses", "mutual_information", "binding", "inner_binding", "sequentiality", "hurst"}
STATE_BYTES = 1000 * 3 * (6 + 2) * 4
"""One member's initial states of 1000 games: 3 experts with 6 hidden units and messages of 2."""


def members_of_chunk(members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "HELD_NUMBERS", {"cpu": 0})
    monkeypatch.setattr(EvaluationChunks, "_size", members)


CONFIGURATIONS = {
    "small": {},
    "frequency": {"task": Frequency(dims=5, frequencies=2)},
    # Matrices of odd width begin at odd positions in a batch of them, where vector instructions round otherwise.
    "odd": {
        "architecture": GRU(hidden=7, message=3),
        "topology": RandomLinks(experts=5, links=1),
        "task": GuessingGame(dims=3),
    },
}


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_values_are_the_same_to_the_bit_in_any_chunk_also_when_measured_again(
    configuration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with any number of threads, by which chunks are divided."""
    setup = experiment(seeds=(4, 9, 2, 7, 5, 11), engine=Native(threads=1), **CONFIGURATIONS[configuration])
    if Native().refusal(setup.system, torch.device("cpu")):
        pytest.skip("the reference engine multiplies the matrices of all members of a chunk at once, which rounds")
    population, losses = trained(setup, 3)
    population.active[1] = False
    names = set(MEASURES) - ROUNDED if configuration == "small" else STANDARD
    measures = [measure_named(name) for name in sorted(names)]
    measures = [measure for measure in measures if measure.columns(setup)]
    found = []
    for members, threads in ((None, 1), (1, 1), (2, 1), (6, 3)):
        with monkeypatch.context() as patch:
            if members:
                members_of_chunk(members, patch)
            evaluation = EvaluationChunks(setup, Native(threads=threads), 1001, 0.01)
            found += [evaluation.measure(measures, population, losses) for _ in range(1 if members else 2)]
    assert {len(value) for value in found[0].values()} == {5}
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        for name, value in other.items():
            torch.testing.assert_close(value, found[0][name], rtol=0, atol=0, equal_nan=True, msg=name)


def test_what_was_released_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = experiment()
    evaluation = EvaluationGames(setup, setup.engine, 1000, 0.01)
    before = evaluation.games, evaluation.conditions.basis, evaluation.noise(2)
    evaluation.release()
    after = evaluation.games, evaluation.conditions.basis, evaluation.noise(2)
    assert torch.equal(after[0].targets, before[0].targets)
    assert torch.equal(after[0].state["h"], before[0].state["h"])
    assert torch.equal(after[1], before[1])
    assert torch.equal(after[2], before[2])
    assert after[2] is not before[2]


def test_without_members_in_training_nothing_can_be_measured() -> None:
    setup = experiment()
    population, losses = trained(setup)
    population.active[:] = False
    with pytest.raises(ValueError, match="need a member that is in training; found none"):
        EvaluationChunks(setup, setup.engine, 1000, 0.01).measure([measure_named("fixed_loss")], population, losses)


@pytest.mark.parametrize("name", ["mutual_information", "inner_binding"])
def test_the_peak_of_memory_does_not_grow_with_the_population(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of tensors, as PyTorch's allocator counts them.

    A member keeps its targets and what is computed from them once: less than a third of its initial states, which are
    themselves a third of all that belongs to it while it is measured.
    """
    members_of_chunk(4, monkeypatch)
    monkeypatch.setattr(context, "_pool", lambda threads: _InThisThread())  # only this thread's tensors are counted
    few, many = (
        _peak(experiment(seeds=tuple(range(members))), name, tmp_path / f"{members}.json") for members in (8, 24)
    )
    assert few > 4 * STATE_BYTES
    assert many - few < (24 - 8) * STATE_BYTES / 3


def _peak(setup: Experiment, name: str, trace: Path) -> int:
    """The most bytes of tensors while the measure is taken twice."""
    population, losses = trained(setup)
    evaluation, measure = EvaluationChunks(setup, setup.engine, 1000, 0.01), measure_named(name)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        for _ in range(2):
            evaluation.measure([measure], population, losses)
    profiler.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text())["traceEvents"]
    return max(event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]")


class _InThisThread:
    """An executor that computes at once."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*arguments))
        return future
