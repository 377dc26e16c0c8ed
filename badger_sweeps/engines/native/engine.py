"""The native engine: checks what it is given, and has the kernel compute it."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.settings import settings
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import (
    Descent,
    Engine,
    Iterations,
    Losses,
    Pullback,
    ResolvedEngine,
    Trace,
    check_cotangents,
    chosen_steps,
    cost,
)
from badger_sweeps.engines.native.cells import Cell, cell_of, constants_of, initial_noise, weight_offsets
from badger_sweeps.engines.native.compiler import CannotBuild
from badger_sweeps.engines.native.descent import KernelOptimizer, known
from badger_sweeps.engines.native.library import Library, library
from badger_sweeps.engines.reference import Reference
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.optimizers.population import PopulationOptimizer
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import Games, InitialStates, System

ROWS_PER_TILE = 64
"""Rows of a tile, about, one for each expert of each game: its memory should fit into the second-level cache."""
CHUNKS = 16
"""Most tasks per member. It does not depend on the number of cores, since it decides the order of summation."""
CHUNK_NUMBERS = 2**21
"""Most numbers in the gradients of a member's tasks together: large networks have fewer tasks."""
OPERATIONS_PER_THREAD = 2e7
"""Least work of a thread, about 0.2 milliseconds: with less, starting the thread takes longer than it saves."""
LOSSES, READOUTS = (MeanSquaredError, MeanAbsoluteError), (Mean, Weighted)
"""The types that the kernel implements."""
CAPABILITIES = ("AVX2", "AVX512")
"""PyTorch's names of the instruction sets of x86 that the kernel is written for."""
ARM = ("aarch64", "arm64")
"""Names of 64-bit Arm processors, all of which have NEON; PyTorch's name of what they have does not tell."""
DRAWING = ("keys", "batches")
"""The kernel's arrays from which it draws initial states."""
VECTORS = {4: "NEON", 8: "AVX2", 16: "AVX-512"}
"""The instruction set of a built kernel, by the number of floats in its vectors."""


@settings
class Native(Engine):
    """A C++ kernel, built on first use: the rollout and its gradients, a few games at a time, in the processor's cache.

    It runs the recurrent architectures on a CPU with AVX2, AVX-512 or NEON; for everything else `resolve` returns
    `Reference`. Results agree with the reference's up to float rounding, and do not depend on the number of threads.

    Args:
        threads: number of threads; null for one per core that the process may use.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] | None = None

    def refusal(self, system: System, device: torch.device) -> str | None:
        cell, capability = cell_of(system.architecture), torch.backends.cpu.get_cpu_capability()
        if device.type != "cpu":
            return "the native engine runs on the CPU"
        if cell is None:
            return f"the native engine has no cell for {type(system.architecture).__name__}"
        if (part := _unknown(system)) is not None:
            return f"the native engine does not know {part}"
        if capability not in CAPABILITIES and platform.machine() not in ARM:
            return f"the native engine needs a CPU with AVX2, AVX-512 or NEON; found {capability}"
        try:
            library(cell.struct, cell.hidden, cell.message, system.task.dims)
        except CannotBuild as error:
            return str(error)
        except (OSError, ValueError, AttributeError, RuntimeError) as error:
            return f"the kernel cannot be loaded: {' '.join(str(error).split())}"
        return None

    def resolve(self, system: System, device: torch.device) -> ResolvedEngine:
        reason = self.refusal(system, device)
        if reason is not None:
            engine, description = Reference().resolve(system, device)
            return ResolvedEngine(engine, f"{description}, since {reason}")
        torch.set_num_threads(1)  # what PyTorch still computes is too small to share among threads
        cell = _cell(system)
        vectors = VECTORS[library(cell.struct, cell.hidden, cell.message, system.task.dims).lanes]
        return ResolvedEngine(self, f"native engine ({vectors}, {_threads(self.thread_count)})")

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))

    def losses(self, objective: OuterObjective, parameters: Weights, games: Games) -> Losses:
        losses = torch.empty(len(parameters.flat), *games.targets.shape[1:])
        return Losses(losses, self._run(objective, parameters, games, 0, {"losses": losses}))

    def pullback(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        cotangents: Float[Tensor, "cotangent population game dim"] | None = None,
    ) -> Pullback:
        members, weights = parameters.flat.shape
        losses = torch.empty(members, *games.targets.shape[1:])
        parts, wanted = 1, {"losses": losses}
        if cotangents is not None:
            check_cotangents(cotangents, losses)
            parts = len(cotangents)
            wanted["cotangents"] = _array("cotangents", cotangents, cotangents.numel())
        sums = self._run(objective, parameters, games, parts, wanted)
        gradients, loss_dim = sums.split_with_sizes([parts * weights, losses.shape[-1]], dim=1)
        return Pullback(losses, loss_dim, gradients.view(members, parts, weights).transpose(0, 1))

    def rollout(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        states: Sequence[str] = (),
        steps: Sequence[int] | None = None,
    ) -> Trace:
        inner_steps, members = objective.inner_steps, len(parameters.flat)
        chosen = chosen_steps(inner_steps, steps)
        kept = torch.full((inner_steps,), -1, dtype=torch.int32)
        kept[chosen] = torch.arange(len(chosen), dtype=torch.int32)
        guesses = torch.empty(inner_steps, members, *games.targets.shape[1:])
        sizes, count = games.state_shapes, games.targets.shape[1]
        traced = {name: torch.empty(len(chosen), members, count, *sizes[name]) for name in states}
        names = dict(_cell(objective.system).states)
        wanted = {"guesses": guesses, "kept": kept, **{f"kept_{names[name]}": traced[name] for name in states}}
        self._run(objective, parameters, games, 0, wanted)
        return Trace(guesses, traced)

    def descend(self, iterations: Iterations, parameters: Weights, optimizer: PopulationOptimizer) -> Descent | None:
        if not known(optimizer) or not parameters.flat.is_contiguous():
            return None
        count, members, dims = len(iterations.objectives), len(parameters.flat), iterations.games.targets.shape[-1]
        job = self._job(iterations.objectives[0], parameters, iterations.games, 1, {}, count)
        kernel_optimizer = KernelOptimizer(optimizer, parameters.flat)
        constants = torch.zeros(count, 3)
        for row, objective in zip(constants, iterations.objectives, strict=True):
            values = constants_of(objective.system.architecture)
            row[: len(values)] = torch.tensor(values)
        alive = torch.empty(count, members, dtype=torch.int32)
        found = Descent(torch.empty(count, members, dims), torch.empty(count, members), alive)
        numbers = {
            **kernel_optimizer.numbers,
            "iterations": count,
            "clip_norm": 0.0 if iterations.clip_norm is None else iterations.clip_norm,
        }
        arrays = {
            **kernel_optimizer.moments,
            "rates": torch.tensor(iterations.rates, dtype=torch.float32),
            "constants": constants,
            "values": parameters.flat,
            "active": iterations.active.to(torch.int32),
            "errors": found.loss_dim,
            "norms": found.norms,
            "alive": alive,
        }
        job.prepared.kernel.descend(job.prepared.job, job.arrays, job.noise, numbers, arrays)
        kernel_optimizer.count(count)
        return found._replace(alive=alive.bool())

    def _run(
        self, objective: OuterObjective, parameters: Weights, games: Games, parts: int, wanted: dict[str, Tensor]
    ) -> Float[Tensor, "population sum"]:
        """Have the kernel compute the games, the gradients of `parts` parts, and the arrays `wanted`, which it fills.

        Returns each member's gradients, part after part, then the error in each dimension after the last step.
        """
        job = self._job(objective, parameters, games, parts, wanted)
        job.prepared.kernel.run(job.prepared.job, constants_of(objective.system.architecture), job.arrays, job.noise)
        return job.arrays["sums"]

    def _job(
        self,
        objective: OuterObjective,
        parameters: Weights,
        games: Games,
        parts: int,
        wanted: dict[str, Tensor],
        iterations: int = 1,
    ) -> _FilledJob:
        """The job of computing these games, with its arrays, of which the kernel fills `wanted` and ``sums``.

        The games are those of as many iterations, one after another.
        """
        system, members = objective.system, len(parameters.flat)
        if (part := _unknown(system)) is not None:  # a rule may have replaced the objective since `resolve`
            raise TypeError(f"the native engine does not know {part}")
        shape = _Shape(
            iterations=iterations,
            members=members,
            games=games.targets.shape[1],
            experts=objective.adjacency.shape[-1],
            inner_steps=objective.inner_steps,
            loss_steps=objective.loss_steps,
            parts=parts,
            shared_games=members > 1 and iterations == 1 and _are_shared(games),
            shared_graph=members > 1 and _shared(objective.adjacency),
        )
        orders, task = (system.loss.order, system.feedback.order), system.task
        scales = tuple(1 / task.absolute_moment(order) for order in orders)
        weighted = isinstance(system.readout, Weighted)
        cell = _cell(system)
        prepared = _prepare(cell, task.dims, orders, scales, weighted, parameters.names, shape, self.thread_count)
        elements, graphs = prepared.elements, objective.adjacency
        arrays = {
            **wanted,
            "offsets": prepared.offsets,
            "values": _array("values", parameters.flat, elements["values"]),
            "adjacency": _array("adjacency", graphs[:1] if shape.shared_graph else graphs, elements["adjacency"]),
        }
        inputs = {"targets": games.targets, **_initial_states(games, prepared.states)}
        for name, tensor in inputs.items():
            kind = torch.int32 if name in DRAWING else torch.float32
            arrays[name] = _array(name, tensor[:1] if shape.shared_games else tensor, elements[name], kind)
        arrays["sums"] = torch.empty(members, parts * parameters.flat.shape[1] + task.dims)
        return _FilledJob(prepared, arrays, _noise(games) or 0.0)


class _FilledJob(NamedTuple):
    """A job that can be done."""

    prepared: _Prepared
    arrays: dict[str, Tensor]
    noise: float
    """The standard deviation of initial states that the kernel draws."""


class _Shape(NamedTuple):
    """Sizes of a batch, or of the batches of several iterations, on which the job depends."""

    iterations: int
    members: int
    games: int
    experts: int
    inner_steps: int
    loss_steps: int
    parts: int
    shared_games: bool
    shared_graph: bool


class _Prepared(NamedTuple):
    """What is the same for all batches of one shape."""

    kernel: Library
    job: ctypes.Structure
    offsets: Int[Tensor, " weight"]
    states: tuple[tuple[str, str], ...]
    """Pairs of a state's name and the name of the kernel's array that holds its initial value."""
    elements: Mapping[str, int]
    """The number of elements of each array."""


@lru_cache(maxsize=128)  # calls of a training differ in their number of iterations, up to `training.loop.LONGEST`
def _prepare(
    cell: Cell,
    dims: int,
    orders: tuple[int, int],
    scales: tuple[float, float],
    weighted: bool,
    names: tuple[str, ...],
    shape: _Shape,
    threads: int,
) -> _Prepared:
    """The job for these sizes. No argument is annealed, so that a run is prepared once.

    `orders` and `scales` are those of the loss and of the feedback.
    """
    members, games, experts = shape[1:4]
    kernel = library(cell.struct, cell.hidden, cell.message, dims)
    offsets = weight_offsets(cell.gates, cell.hidden, cell.message, dims, experts, names, kernel.layout)
    tile = max(1, min(ROWS_PER_TILE // experts, games))
    rows = shape.iterations * members * games * experts
    operations = 2.0 * cost(shape.parts) * len(offsets) * rows * shape.inner_steps
    numbers = {
        "members": members,
        "games": games,
        "experts": experts,
        "steps": shape.inner_steps,
        "loss_steps": shape.loss_steps,
        "loss_order": orders[0],
        "feedback_order": orders[1],
        "weights": len(offsets),
        "weighted": int(weighted),
        "chunks": max(1, min(CHUNKS, -(-games // tile), CHUNK_NUMBERS // (len(offsets) * max(1, shape.parts)))),
        "tile_games": tile,
        "threads": max(1, min(threads, int(operations / OPERATIONS_PER_THREAD))),
        "parts": shape.parts,
        "shared_games": int(shape.shared_games),
        "shared_graph": int(shape.shared_graph),
        "bins": cell.bins,
        "bin_width": cell.bin_width,
        "loss_scale": scales[0],
        "feedback_scale": scales[1],
    }
    batches = 1 if shape.shared_games else shape.iterations * members
    each = batches * games
    elements = {
        "values": members * len(offsets),
        "adjacency": (1 if shape.shared_graph else members) * experts**2,
        "targets": each * dims,
        "h0": each * experts * cell.hidden,
        "c0": each * experts * cell.hidden,
        "m0": each * experts * cell.message,
        "keys": batches * 2,
        "batches": batches,
    }
    states = tuple((name, f"{array}0") for name, array in cell.states)
    return _Prepared(kernel, kernel.job(numbers), offsets, states, elements)


def _unknown(system: System) -> str | None:
    """The name of a loss, feedback or readout that the kernel does not implement; None if there is none.

    Types are compared exactly: a subclass may compute something else.
    """
    for part, kinds in ((system.loss, LOSSES), (system.feedback, LOSSES), (system.readout, READOUTS)):
        if type(part) not in kinds:
            return type(part).__name__
    return None


def _initial_states(games: Games, states: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """By name of the kernel's array: the initial states, or the keys and batches from which the kernel draws them.

    Without any of these arrays the kernel starts from zeros.
    """
    noise = _noise(games)
    if noise is None:
        return {array: games.state[name] for name, array in states}
    random = games.state.random  # type: ignore[attr-defined]
    return {"keys": random.keys.to(torch.int32), "batches": random.batches.to(torch.int32)} if noise else {}


def _noise(games: Games) -> float | None:
    """The standard deviation of the initial states, if the kernel can draw them; else None."""
    return initial_noise(games.state.architecture) if isinstance(games.state, InitialStates) else None


def _are_shared(games: Games) -> bool:
    """Whether all members play the same games, which are held once."""
    if isinstance(games.state, InitialStates):
        return _shared(games.targets) and len(games.state.random) == 1
    return all(map(_shared, (games.targets, *games.state.values())))


def _shared(tensor: Tensor) -> bool:
    """Whether all members share one value, which is held once."""
    return len(tensor) == 1 or tensor.stride(0) == 0


def _cell(system: System) -> Cell:
    cell = cell_of(system.architecture)
    if cell is None:
        raise TypeError(f"the native engine has no cell for {type(system.architecture).__name__}")
    return cell


def _array(name: str, tensor: Tensor, elements: int, kind: torch.dtype = torch.float32) -> Tensor:
    """The tensor as the kernel reads it, checked: the kernel would read other types as floats, and past a short end.

    Raises:
        ValueError: it has another number of elements.
        TypeError: it is not of the type that the kernel expects, or not on the CPU.
    """
    if tensor.numel() != elements:
        raise ValueError(f"`{name}` must have {elements} elements; found the shape {tuple(tensor.shape)}")
    if tensor.dtype != kind or tensor.device.type != "cpu":
        expected = str(kind).removeprefix("torch.")
        raise TypeError(f"the native engine reads {expected} on the CPU; found {tensor.dtype} on {tensor.device}")
    return tensor.contiguous()


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
