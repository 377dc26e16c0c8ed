"""The native engine as the rest of the program sees it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.engines.base import Engine, Gradients, Serving, Trace, chosen_steps
from badger_sweeps.engines.native.cells import Cell, cell_of, places
from badger_sweeps.engines.native.compiler import CannotBuild
from badger_sweeps.engines.native.library import library
from badger_sweeps.engines.reference import Reference
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.foundations.settings import settings
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import Games, System

ROWS_PER_TILE = 64
"""About how many experts are played at a time: what a tile remembers should fit into the second-level cache."""
CHUNKS = 8
"""A member's games are cut into at most so many tasks: a constant, so that results do not depend on the machine's cores."""
VECTORS = {"AVX2": "AVX2", "AVX512": "AVX-512"}
"""What PyTorch calls the processors on which the kernel pays, and their vectors' name."""


@settings
class Native(Engine):
    """A C++ kernel, built on first use: the whole rollout and its gradients for a few games at a time, in the cache.

    It serves the recurrent architectures on a CPU with AVX2 or AVX-512; `serving` hands all else to `Reference`. Results
    agree with the reference's up to float rounding, and do not depend on the number of threads.

    Args:
        threads: how many play; null for one per core that the process may use.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] | None = None

    def serving(self, system: System, device: torch.device) -> Serving:
        try:
            self._must_serve(system, device)
        except CannotBuild as cannot:
            engine = Reference().serving(system, device).engine
            return Serving(engine, f"reference engine (PyTorch), since {cannot}")
        torch.set_num_threads(1)  # what is left to PyTorch is too small to share
        vectors = VECTORS[torch.backends.cpu.get_cpu_capability()]
        return Serving(self, f"native engine ({vectors}, {_threads(self._cores)})")

    def _must_serve(self, system: System, device: torch.device) -> None:
        """Build the kernel, or say in a `CannotBuild` why it does not serve."""
        cell, capability = cell_of(system.architecture), torch.backends.cpu.get_cpu_capability()
        if device.type != "cpu":
            raise CannotBuild(f"the native engine runs on the CPU and `device` is {device.type}")
        if cell is None:
            raise CannotBuild(f"the native engine has no cell for {type(system.architecture).__name__}")
        for part, known in ((system.loss, (MeanSquaredError, MeanAbsoluteError)), (system.readout, (Mean, Weighted))):
            if type(part) not in known:
                raise CannotBuild(f"the native engine does not know {type(part).__name__}")
        if capability not in VECTORS:
            raise CannotBuild(f"the native engine needs a CPU with AVX2 or AVX-512; found {capability}")
        library(cell.struct, cell.hidden, cell.message, system.task.dims)

    @property
    def _cores(self) -> int:
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
        gradients = torch.empty_like(parameters.flat)
        wanted = {"gradients": gradients, "loss_steps": loss_steps}
        loss_dim = self._run(system, parameters, mixing, games, inner_steps, wanted)
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
        arrays = _cell(system).states
        wanted = {"guesses": guesses, "kept": kept, **{f"kept_{arrays[name]}": traced[name] for name in states}}
        self._run(system, parameters, mixing, games, inner_steps, wanted)
        return Trace(guesses, traced)

    def _run(
        self,
        system: System,
        parameters: Weights,
        mixing: Float[Tensor, "population expert expert"],
        games: Games,
        inner_steps: int,
        wanted: dict[str, Any],
    ) -> Float[Tensor, "population dim"]:
        """Let the kernel play the games and fill in the arrays `wanted`; gives each dimension's error after the last step."""
        cell = _cell(system)
        members, batch, dims = games.targets.shape
        experts = mixing.shape[-1]
        kernel = library(cell.struct, cell.hidden, cell.message, dims)
        place = places(cell.gates, cell.hidden, cell.message, dims, experts, parameters.names, kernel.layout)
        arrays = {
            "values": parameters.flat,
            "mixing": mixing,
            "targets": games.targets,
            **{f"{cell.states[name]}0": tensor for name, tensor in games.state.items()},
        }
        loss_dim = torch.empty(members, dims)
        tile = max(1, min(ROWS_PER_TILE // experts, batch))
        kernel.run(
            members=members,
            games=batch,
            experts=experts,
            steps=inner_steps,
            loss_order=system.loss.order,
            weights=len(place),
            weighted=int(isinstance(system.readout, Weighted)),
            chunks=min(CHUNKS, -(-batch // tile)),
            tile_games=tile,
            threads=self._cores,
            bins=cell.bins,
            bin_width=cell.bin_width,
            error_scale=1 / system.task.absolute_moment(system.loss.order),
            constants=cell.constants,
            place=place,
            loss_dim=loss_dim,
            **{name: _array(tensor) for name, tensor in arrays.items()},
            **wanted,
        )
        return loss_dim


def _cell(system: System) -> Cell:
    cell = cell_of(system.architecture)
    if cell is None:
        raise TypeError(f"the native engine has no cell for {type(system.architecture).__name__}")
    return cell


def _array(tensor: Tensor) -> Tensor:
    """As the kernel reads it; it would take any other type's bits for floats."""
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
        raise TypeError(f"the native engine reads float32 on the CPU; found {tensor.dtype} on {tensor.device}")
    return tensor.contiguous()


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
