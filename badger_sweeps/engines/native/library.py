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
from badger_sweeps.engines.native.job import Job, Layout, check_names

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
        library.job_fields.restype = library.layout_fields.restype = ctypes.c_char_p
        self._job = Job(library.job_fields().decode(), ctypes.c_int.in_dll(library, "job_size").value)
        self.lanes = ctypes.c_int.in_dll(library, "lanes").value
        names = library.layout_fields().decode().split()
        check_names("layout", names, Layout._fields)
        values = (ctypes.c_int * len(names)).in_dll(library, "layout")
        self.layout = Layout(**dict(zip(names, values, strict=True)))
        self._run, self._workspace_size = library.run, library.workspace_size
        self._run.argtypes = self._workspace_size.argtypes = (ctypes.POINTER(self._job.structure),)
        self._run.restype, self._workspace_size.restype = None, ctypes.c_size_t

    def job(self, numbers: Mapping[str, float]) -> ctypes.Structure:
        """A job with these numbers, by name of the kernel's field, and without arrays.

        Raises:
            TypeError: the kernel has other numbers than these.
        """
        check_names("job", numbers, self._job.numbers)
        return self._job.structure(**numbers)

    def run(self, job: ctypes.Structure, constants: tuple[float, ...], arrays: Mapping[str, Tensor]) -> None:
        """Do a job on these arrays, which must be contiguous and on the CPU; the kernel writes its results into them.

        Args:
            job: from `job`; it is not changed.
            constants: those of the cell.
            arrays: by name of the kernel's field.

        Raises:
            TypeError: the kernel does not know an array, or requires another one.
        """
        check_names("job", {*arrays, "workspace", "partial"}, self._job.required, self._job.optional)
        job = self._job.structure.from_buffer_copy(job)
        job.constants[: len(constants)] = constants
        for name, array in arrays.items():
            setattr(job, name, array.data_ptr())
        tasks, length = job.members * job.chunks, job.parts * job.weights + self._dims
        workspaces = min(job.threads, tasks) * self._workspace_size(job)
        job.workspace = _memory(workspaces + tasks * length * ctypes.sizeof(ctypes.c_float))
        job.partial = job.workspace + workspaces
        self._run(job)


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
