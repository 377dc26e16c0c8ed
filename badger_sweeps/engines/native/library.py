"""The built kernel, called through ctypes, which lets other Python threads run meanwhile."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from badger_sweeps.engines.native.compiler import build

_FIELDS: Mapping[type[Any], str] = {
    ctypes.c_int: "members games experts steps loss_steps loss_order told_order weights weighted bins chunks tile_games"
    " threads parts shared_games shared_graph",
    ctypes.c_float: "loss_scale told_scale bin_width",
    ctypes.c_float * 3: "constants",
    ctypes.c_void_p: "place values adjacency targets h0 c0 m0 cotangents sums losses guesses kept kept_h kept_c kept_m"
    " partial workspace",
}


class Layout(NamedTuple):
    """``struct Layout`` of the kernel: row lengths, and where each matrix lies among a member's padded weights."""

    hidden: int
    gates: int
    message: int
    dims: int
    weight: int
    error: int
    bias: int
    message_weight: int
    message_bias: int
    guess_weight: int
    guess_bias: int
    readout: int


class Job(ctypes.Structure):
    """``struct Job`` of the kernel, field by field."""

    _fields_ = tuple((name, kind) for kind, names in _FIELDS.items() for name in names.split())


_own = threading.local()


class Library:
    """One build of the kernel.

    Args:
        struct: the cell's name in ``kernel/cells.h``.
        hidden: size of the hidden state.
        message: size of the messages; 0 where the latest guess is heard.
        dims: numbers to guess.

    Attributes:
        lanes: floats in one of its vectors.
        layout: of a member's padded weights.

    Raises:
        CannotBuild: it cannot be built.
        OSError, ValueError, AttributeError: what was built cannot be loaded.
    """

    def __init__(self, struct: str, hidden: int, message: int, dims: int) -> None:
        self._dims = dims
        sizes: dict[str, str | int] = {"CELL": struct, "HIDDEN": hidden, "MESSAGE": message, "DIMS": dims}
        path = build(sizes)
        try:
            self._load(path)
        except (OSError, ValueError, AttributeError):  # not what was built: a disk was full, or somebody else's file
            path.unlink(missing_ok=True)
            self._load(build(sizes))

    def _load(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        size = ctypes.c_int.in_dll(library, "job_size").value
        if size != ctypes.sizeof(Job):
            raise ValueError(f"a job has {size} bytes in the kernel and {ctypes.sizeof(Job)} here")
        self.lanes = ctypes.c_int.in_dll(library, "lanes").value
        self.layout = Layout(*(ctypes.c_int * len(Layout._fields)).in_dll(library, "layout"))
        self._run, self._workspace_size = library.run, library.workspace_size
        self._run.argtypes = self._workspace_size.argtypes = (ctypes.POINTER(Job),)
        self._run.restype, self._workspace_size.restype = None, ctypes.c_size_t

    def run(self, job: Job, constants: tuple[float, ...], arrays: Mapping[str, Tensor]) -> None:
        """Do a job on these arrays, which must be contiguous and on the CPU; those it gives are filled in.

        Args:
            job: its sizes, which stay as they are.
            constants: the cell's.
            arrays: by name of the kernel's field.
        """
        job = Job.from_buffer_copy(job)
        job.constants[: len(constants)] = constants
        for name, array in arrays.items():
            setattr(job, name, array.data_ptr())
        tasks, length = job.members * job.chunks, job.parts * job.weights + self._dims
        playing = min(job.threads, tasks) * self._workspace_size(job)
        job.workspace = _memory(playing + tasks * length * ctypes.sizeof(ctypes.c_float))
        job.partial = job.workspace + playing
        self._run(job)


def _memory(size: int) -> int:
    """The address of so many bytes of the calling thread's own. Kept: fresh memory costs more than a small job."""
    memory = getattr(_own, "memory", None)
    if memory is None or memory.numel() < size:
        memory = _own.memory = torch.empty(size, dtype=torch.uint8)
    return memory.data_ptr()


@cache
def library(struct: str, hidden: int, message: int, dims: int) -> Library:
    """The `Library` for these sizes, loaded once a process."""
    return Library(struct, hidden, message, dims)
