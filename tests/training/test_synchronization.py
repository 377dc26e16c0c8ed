"""How often the host waits for the device: on a GPU each time costs more than the kernels between two of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.engines.reference import Reference
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training import loop
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train_in_chunks
from badger_sweeps.training.population import Population

WAITING = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique", "index.Tensor_mask")
"""ATen operations whose result the host must know before it goes on: numbers, or sizes that depend on data."""
CONFIGURATIONS = {
    "defaults": {},
    "annealing": {"architecture": TCNN(hidden=4, message=2)},
    "frequency": {"task": Frequency(dims=5), "optimizer": SGD()},
}


class Waits(TorchDispatchMode):
    """Counts the operations for which the host would wait if tensors were on a GPU; CPU tensors stand in for them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        name = function.__name__.partition(".")[0]
        masks = name.startswith("index") and any(
            isinstance(each, torch.Tensor) and each.dtype == torch.bool for each in given[1] or ()
        )
        self.count += name in WAITING or masks
        return function(*given, **(named or {}))


def population(name: str, iterations: int = 40) -> Population:
    parts = {"architecture": GRU(hidden=4, message=2), **CONFIGURATIONS[name]}
    topology, training = RandomLinks(experts=3, links=1), Training(iterations=iterations, batch_size=4, inner_steps=2)
    return Population(
        Experiment(**parts, topology=topology, training=training, seeds=(1, 2), device="cpu", engine=Reference())
    )


def test_the_counter_counts() -> None:
    tensor = torch.arange(3.0)
    for wait in (
        lambda: float(tensor.sum()),
        lambda: tensor.nonzero(),
        lambda: tensor[tensor > 1],
        lambda: bool(tensor[0]),
    ):
        with Waits() as waits:
            wait()
        assert waits.count >= 1


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_host_waits_once_for_any_number_of_iterations(name: str) -> None:
    counts = []
    for iterations in (1, 8):
        members = population(name)
        members.advance()  # the first step makes the optimiser's state
        with Waits() as waits:
            members.advance(iterations)
        counts.append(waits.count)
    assert counts == [1, 1]


def test_the_loop_waits_only_between_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice: how many iterations were done, and whether anybody is left."""
    monkeypatch.setattr(loop, "SECONDS", 1e9)  # however slow this machine is
    members = population("defaults")
    chunks = train_in_chunks(members, lambda iteration: iteration + 10)
    next(chunks)
    with Waits() as waits:
        done = len(next(chunks))
    assert waits.count <= 2
    assert done == 10
