"""A built kernel, called through ctypes, which lets other Python threads run during a call."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from badger_sweeps.engines.native.compiler import build
from badger_sweeps.engines.native.job import Layout, Struct, check_names

_of_thread = threading.local()


class Library:
    """One build of the kernel.

    Args:
        struct: the cell's name in ``kernel/cells.h``.
        hidden: size of the hidden state.
        message: size of the messages; 0 for a cell that receives the latest guess instead.
        dims: numbers to guess.

    Attributes:
        lanes: floats in one of its vectors.
        layout: of a member's padded weights.

    Raises:
        CannotBuild: it cannot be built.
        OSError, ValueError, AttributeError: the built file cannot be loaded.
        TypeError: the kernel describes a struct that Python does not know.
    """

    def __init__(self, struct: str, hidden: int, message: int, dims: int) -> None:
        self._dims = dims
        sizes: dict[str, str | int] = {"CELL": struct, "HIDDEN": hidden, "MESSAGE": message, "DIMS": dims}
        path = build(sizes)
        try:
            self._load(path)
        except (OSError, ValueError, AttributeError):  # the file is damaged (a full disk), or of another program
            path.unlink(missing_ok=True)
            self._load(build(sizes))

    def _load(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        self._job, self._descent = (_struct(library, name) for name in ("job", "descent"))
        self.lanes = ctypes.c_int.in_dll(library, "lanes").value
        library.layout_fields.restype = ctypes.c_char_p
        names = library.layout_fields().decode().split()
        check_names("layout", names, Layout._fields)
        values = (ctypes.c_int * len(names)).in_dll(library, "layout")
        self.layout = Layout(**dict(zip(names, values, strict=True)))
        self._workspace_size, self._run, self._descend = library.workspace_size, library.run, library.descend
        job, descent = (ctypes.POINTER(struct.structure) for struct in (self._job, self._descent))
        self._run.argtypes = self._workspace_size.argtypes = (job,)
        self._descend.argtypes = (job, descent)
        self._run.restype, self._descend.restype, self._workspace_size.restype = None, None, ctypes.c_size_t

    def job(self, numbers: Mapping[str, float]) -> ctypes.Structure:
        """A job with these numbers, by name of the kernel's field, and without arrays.

        Raises:
            TypeError: the kernel has other numbers than these.
        """
        check_names("job", {*numbers, "noise"}, self._job.numbers)
        return self._job.structure(**numbers)

    def run(
        self, job: ctypes.Structure, constants: tuple[float, ...], arrays: Mapping[str, Tensor], noise: float = 0.0
    ) -> None:
        """Do a job on these arrays, which must be contiguous and on the CPU; the kernel writes its results into them.

        Args:
            job: from `job`; it is not changed.
            constants: those of the cell.
            arrays: by name of the kernel's field.
            noise: standard deviation of the initial states that the kernel draws.

        Raises:
            TypeError: the kernel does not know an array, or requires another one.
        """
        job = self._ready(job, arrays, noise)
        job.constants[: len(constants)] = constants
        self._run(job)

    def descend(
        self,
        job: ctypes.Structure,
        arrays: Mapping[str, Tensor],
        noise: float,
        numbers: Mapping[str, float],
        descent_arrays: Mapping[str, Tensor],
    ) -> None:
        """Several iterations of gradient descent.

        Args:
            job: from `job`, for one iteration; it is not changed.
            arrays: those of the job, for all iterations.
            noise: as in `run`.
            numbers: those of ``Descent``, by name of the kernel's field.
            descent_arrays: those of ``Descent``.

        Raises:
            TypeError: the kernel does not know a number or an array, or requires another one.
        """
        check_names("descent", numbers, self._descent.numbers)
        descent = self._descent.structure(**numbers)
        self._descent.set_arrays(descent, descent_arrays)
        self._descend(self._ready(job, arrays, noise), descent)

    def _ready(self, job: ctypes.Structure, arrays: Mapping[str, Tensor], noise: float) -> ctypes.Structure:
        """The job with its arrays, and with memory for its threads."""
        job = self._job.structure.from_buffer_copy(job)
        job.noise = noise
        self._job.set_arrays(job, arrays, others=("workspace", "partial"))
        tasks, length = job.members * job.chunks, job.parts * job.weights + self._dims
        workspaces = min(job.threads, tasks) * self._workspace_size(job)
        job.workspace = _memory(workspaces + tasks * length * ctypes.sizeof(ctypes.c_float))
        job.partial = job.workspace + workspaces
        return job


def _struct(library: ctypes.CDLL, name: str) -> Struct:
    """A struct as the library describes it."""
    describe = library[f"{name}_fields"]
    describe.restype = ctypes.c_char_p
    return Struct(name, describe().decode(), ctypes.c_int.in_dll(library, f"{name}_size").value)


def _memory(size: int) -> int:
    """The address of a buffer of at least `size` bytes that belongs to the calling thread.

    The buffer is kept for the next call: allocating it costs more than a small job.
    """
    memory = getattr(_of_thread, "memory", None)
    if memory is None or memory.numel() < size:
        memory = _of_thread.memory = torch.empty(size, dtype=torch.uint8)
    return memory.data_ptr()


@cache
def library(struct: str, hidden: int, message: int, dims: int) -> Library:
    """The `Library` for these sizes, loaded once per process."""
    return Library(struct, hidden, message, dims)
