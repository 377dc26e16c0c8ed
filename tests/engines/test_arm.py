"""The kernel on a 64-bit Arm processor, which an emulator stands in for: results alone, no times."""

from __future__ import annotations

import ctypes
import platform
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.lstm_quantized import LSTMQuantized
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.engines.native import compiler, engine
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.native.job import Layout
from badger_sweeps.engines.native.library import Library
from badger_sweeps.engines.reference import Reference
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import InitialStates
from badger_sweeps.tasks.guessing_game import GuessingGame

from .cases import case, world
from .test_gradients import check

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
missing = [name for name in (COMPILER, EMULATOR) if shutil.which(name) is None]
emulated = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing), reason=f"needs {' and '.join(missing)} (Debian: g++-aarch64-linux-gnu, qemu-user)"
    ),
]


class Emulated(Library):
    """The kernel built for Arm, whose jobs an emulator does.

    Args:
        folder: where it is built; its files are left there.
        sizes: the macros that its source expects.
    """

    def __init__(self, folder: Path, sizes: Mapping[str, str | int]) -> None:
        super().__init__(*sizes.values())  # the build for this processor knows the fields of a job, which are the same
        self._program, self._file = folder / "kernel", folder / "job"
        flags = [flag for flag in compiler.FLAGS if flag not in ("-march=native", "-shared", "-fPIC")]
        macros = [f"-D{name}={value}" for name, value in sizes.items()]
        source = [
            f"-I{compiler.SOURCE}",
            str(Path(__file__).parent / "emulated.cpp"),
            "-static",
            "-o",
            str(self._program),
        ]
        subprocess.run([COMPILER, *flags, *macros, *source], check=True)
        printed = subprocess.run([EMULATOR, str(self._program)], check=True, capture_output=True, text=True).stdout
        self.lanes, size, *values = map(int, printed.split())
        assert size == ctypes.sizeof(self._job.structure)
        self.layout = Layout(*values)

    def run(
        self, job: ctypes.Structure, constants: tuple[float, ...], arrays: Mapping[str, Tensor], noise: float = 0.0
    ) -> None:
        job = self._job.structure.from_buffer_copy(job)
        job.constants[: len(constants)] = constants
        job.noise = noise
        contents = bytearray(bytes(job))
        spans = {}
        for name, array in arrays.items():
            values = array.contiguous().numpy().tobytes()
            contents += struct.pack("<qq", getattr(self._job.structure, name).offset, len(values))
            spans[name] = slice(len(contents), len(contents) + len(values))
            contents += values
        self._file.write_bytes(contents)
        subprocess.run([EMULATOR, str(self._program), str(self._file)], check=True)
        after = self._file.read_bytes()
        for name, array in arrays.items():
            array.copy_(torch.frombuffer(bytearray(after[spans[name]]), dtype=array.dtype).view(array.shape))


@pytest.fixture
def on_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Emulated]]:
    """The native engine takes its kernels from `Emulated`; yields those that it took."""
    taken: list[Emulated] = []

    def library(cell: str, hidden: int, message: int, dims: int) -> Emulated:
        if not taken:
            taken.append(Emulated(tmp_path, {"CELL": cell, "HIDDEN": hidden, "MESSAGE": message, "DIMS": dims}))
        return taken[0]

    engine._prepare.cache_clear()
    monkeypatch.setattr(engine, "library", library)
    yield taken
    engine._prepare.cache_clear()


LEARNERS: list[Architecture] = [
    GRU(hidden=17, message=3),
    GRU(hidden=1, message=1),
    GRU(hidden=5, message=9, reset_gate=False),
    Exponential(hidden=32, message=8, a=0.5, b=0.7, reset_gate=False),
    TCNN(hidden=20, message=6, z=5.0),
    LSTM(hidden=64),
    LSTMQuantized(hidden=24, range=1.25),
]


@pytest.mark.parametrize("architecture", LEARNERS, ids=repr)
class TestOnArm:
    pytestmark = emulated

    def test_gradients(self, architecture: Architecture, on_arm: list[Emulated]) -> None:
        """Against float64 autograd, by the bounds that hold for the processor that is here."""
        single = isinstance(architecture, LSTM)
        for loss, readout, shape in (
            (MeanSquaredError(), Weighted(), (2, 20, 16, 1.0)),
            (MeanAbsoluteError(), Weighted(), (3, 7, 5, 0.4)),
        ):
            system = world(architecture, GuessingGame(dims=3), loss, loss, None if single else readout)
            members, games, experts, density = shape
            check(case(system, members, 100 if single else games, 1 if single else experts, density, loss_steps=4))
        assert on_arm[0].lanes == 4

    def test_states(self, architecture: Architecture, on_arm: list[Emulated]) -> None:
        """Rollouts without gradients give the states that PyTorch gives."""
        system = world(architecture, GuessingGame(dims=3))
        played = case(system, experts=1 if isinstance(architecture, LSTM) else 5)
        names = tuple(played.games.state)
        found = Native(threads=2).rollout(*played, states=names, steps=(0, -1))
        expected = Reference().rollout(*played, states=names, steps=(0, -1))
        assert on_arm[0].lanes == 4
        for name in names:
            torch.testing.assert_close(found.states[name], expected.states[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", [GRU(hidden=17, message=3), TCNN(hidden=20, message=6, z=5.0)], ids=repr)
class TestDrawingOnArm:
    pytestmark = emulated

    def test_initial_states_are_the_same_to_the_bit(self, architecture: Architecture, on_arm: list[Emulated]) -> None:
        """Drawn by the kernel, beside those that PyTorch draws here: the gradients are equal."""
        played = case(world(architecture, GuessingGame(dims=3)), members=2, games=9, experts=5)
        random = RandomBatches.of((0, 1), Purpose.STATES)
        drawn = played._replace(games=played.games._replace(state=InitialStates(architecture, 5, random, 9)))
        found, expected = drawn.on(Native(threads=2)), played.on(Native(threads=2))
        assert on_arm[0].lanes == 4
        assert "drawn" not in vars(drawn.games.state)
        assert torch.equal(found.gradients, expected.gradients)


@pytest.mark.parametrize(("machine", "accepted"), [("aarch64", True), ("arm64", True), ("riscv64", False)])
def test_processors(machine: str, accepted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's name of what a 64-bit Arm processor has is DEFAULT, as it is of a processor without vectors."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    refusal = Native().refusal(world(GRU(hidden=17, message=3)), torch.device("cpu"))
    assert (refusal is None) == accepted
    assert accepted or refusal == "the native engine needs a CPU with AVX2, AVX-512 or NEON; found DEFAULT"
