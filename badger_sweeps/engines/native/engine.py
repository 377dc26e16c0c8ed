"""The native engine as the rest of the program sees it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from badger_sweeps.engines.base import Engine, Gradients, Serving, Trace, check_loss_steps, chosen_steps
from badger_sweeps.engines.native.cells import Cell, cell_of, places
from badger_sweeps.engines.native.compiler import CannotBuild
from badger_sweeps.engines.native.library import Job, Library, library
from badger_sweeps.engines.reference import Reference
from badger_sweeps.foundations.settings import settings
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import Games, System

ROWS_PER_TILE = 64
"""About how many experts are played at a time: what a tile remembers should fit into the second-level cache."""
CHUNKS = 16
"""A member's games are cut into at most so many tasks, whatever the number of cores: their sums are what it gives."""
CHUNK_NUMBERS = 2**21
"""How many gradients a member's tasks may hold together: large networks are cut into fewer."""
OPERATIONS_PER_THREAD = 2e7
"""A thread with less to do takes longer to start than it saves; that is about 0.2 milliseconds of work."""
SERVED = ("AVX2", "AVX512")
"""What PyTorch calls the processors on which the kernel pays."""
VECTORS = {8: "AVX2", 16: "AVX-512"}
"""What the kernel was built for, by the floats in a vector."""


@settings
class Native(Engine):
    """A C++ kernel, built on first use: the whole rollout and its gradients for a few games at a time, in the cache.

    It serves the recurrent architectures on a CPU with AVX2 or AVX-512; `serving` hands all else to `Reference`.
    Results agree with the reference's up to float rounding, and do not depend on the number of threads.

    Args:
        threads: how many play; null for one per core that the process may use.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] | None = None

    def serving(self, system: System, device: torch.device) -> Serving:
        reason = _why_not(system, device)
        if reason is not None:
            engine, words = Reference().serving(system, device)
            return Serving(engine, f"{words}, since {reason}")
        torch.set_num_threads(1)  # what is left to PyTorch is too small to share
        cell = _cell(system)
        vectors = VECTORS[library(cell.struct, cell.hidden, cell.message, system.task.dims).lanes]
        return Serving(self, f"native engine ({vectors}, {_threads(self.workers)})")

    @property
    def workers(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))

    def gradients(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        loss_steps: int,
    ) -> Gradients:
        check_loss_steps(inner_steps, loss_steps)
        sums = self._run(system, parameters, mixing, games, inner_steps, loss_steps, {})
        gradients, loss_dim = sums.split_with_sizes([parameters.flat.shape[1], system.task.dims], dim=1)
        return Gradients(loss_dim.mean(dim=1), loss_dim, Weights(gradients, parameters.shapes))

    def rollout(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        chosen = chosen_steps(inner_steps, steps)
        kept = torch.full((inner_steps,), -1, dtype=torch.int32)
        kept[chosen] = torch.arange(len(chosen), dtype=torch.int32)
        guesses = torch.empty(inner_steps, *games.targets.shape)
        traced = {name: torch.empty(len(chosen), *games.state[name].shape) for name in states}
        names = _cell(system).states
        wanted = {"guesses": guesses, "kept": kept, **{f"kept_{names[name]}": traced[name] for name in states}}
        self._run(system, parameters, mixing, games, inner_steps, 0, wanted)
        return Trace(guesses, traced)

    def _run(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        loss_steps: int,
        wanted: dict[str, Tensor],
    ) -> Float[Tensor, "population sum"]:
        """Let the kernel play the games, with gradients if there are `loss_steps`, and fill in the arrays `wanted`.

        Gives each member's gradients, followed by the error in each dimension after the last step.
        """
        sizes = (*games.targets.shape[:2], mixing.shape[-1])
        prepared = _prepare(system, parameters.names, sizes, inner_steps, loss_steps, self.workers)
        state = {f"{prepared.states[name]}0": tensor for name, tensor in games.state.items()}
        given = {"values": parameters.flat, "mixing": mixing, "targets": games.targets, **state}
        arrays = {name: _array(name, tensor, prepared.elements[name]) for name, tensor in given.items()}
        sums = torch.empty(len(mixing), parameters.flat.shape[1] + system.task.dims)
        prepared.kernel.run(prepared.job, {**arrays, **wanted, "place": prepared.place, "sums": sums})
        return sums


class _Prepared(NamedTuple):
    """What does not change from batch to batch."""

    kernel: Library
    job: Job
    place: Int[Tensor, " weight"]
    states: Mapping[str, str]
    elements: Mapping[str, int]


@lru_cache(maxsize=16)
def _prepare(
    system: System, names: tuple[str, ...], sizes: tuple[int, int, int], inner_steps: int, loss_steps: int, threads: int
) -> _Prepared:
    members, games, experts = sizes
    cell, dims = _cell(system), system.task.dims
    kernel = library(cell.struct, cell.hidden, cell.message, dims)
    place = places(cell.gates, cell.hidden, cell.message, dims, experts, names, kernel.layout)
    tile = max(1, min(ROWS_PER_TILE // experts, games))
    operations = 6.0 * len(place) * members * games * experts * inner_steps  # each weight, forwards and twice backwards
    job = kernel.job(
        members=members,
        games=games,
        experts=experts,
        steps=inner_steps,
        loss_steps=loss_steps,
        loss_order=system.loss.order,
        weights=len(place),
        weighted=int(isinstance(system.readout, Weighted)),
        chunks=max(1, min(CHUNKS, -(-games // tile), CHUNK_NUMBERS // len(place))),
        tile_games=tile,
        threads=max(1, min(threads, int(operations / OPERATIONS_PER_THREAD))),
        backward=int(loss_steps > 0),
        bins=cell.bins,
        bin_width=cell.bin_width,
        error_scale=1 / system.task.absolute_moment(system.loss.order),
        constants=cell.constants,
    )
    each = members * games
    elements = {
        "values": members * len(place),
        "mixing": members * experts**2,
        "targets": each * dims,
        "h0": each * experts * cell.hidden,
        "c0": each * experts * cell.hidden,
        "m0": each * experts * cell.message,
    }
    return _Prepared(kernel, job, place, cell.states, elements)


def _why_not(system: System, device: torch.device) -> str | None:
    """Why the native engine does not serve; None if it does, and then its kernel is built and loaded."""
    cell, capability = cell_of(system.architecture), torch.backends.cpu.get_cpu_capability()
    if device.type != "cpu":
        return "the native engine runs on the CPU"
    if cell is None:
        return f"the native engine has no cell for {type(system.architecture).__name__}"
    for part, known in ((system.loss, (MeanSquaredError, MeanAbsoluteError)), (system.readout, (Mean, Weighted))):
        if type(part) not in known:
            return f"the native engine does not know {type(part).__name__}"
    if capability not in SERVED:
        return f"the native engine needs a CPU with AVX2 or AVX-512; found {capability}"
    try:
        library(cell.struct, cell.hidden, cell.message, system.task.dims)
    except CannotBuild as error:
        return str(error)
    except (OSError, ValueError, AttributeError, RuntimeError) as error:
        return f"the kernel cannot be had: {' '.join(str(error).split())}"
    return None


def _cell(system: System) -> Cell:
    cell = cell_of(system.architecture)
    if cell is None:
        raise TypeError(f"the native engine has no cell for {type(system.architecture).__name__}")
    return cell


def _array(name: str, tensor: Tensor, elements: int) -> Tensor:
    """As the kernel reads it, which would take other types for floats and read past the end of what is shorter."""
    if tensor.numel() != elements:
        raise ValueError(f"`{name}` must have {elements} elements; found the shape {tuple(tensor.shape)}")
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
        raise TypeError(f"the native engine reads float32 on the CPU; found {tensor.dtype} on {tensor.device}")
    return tensor.contiguous()


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
