"""Arms of studies that nobody trained: what their runs left is made up, so that the answer is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.core.columns import column_of
from badger_sweeps.measures.outcome_of_history import outcome
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.reporting.reading.arms import Arm
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.runs.summary import Summary
from badger_sweeps.statistics.estimates import Estimate
from badger_sweeps.topologies.connectivity import Connectivity

SEEDS = 8
BUDGET = 2000
BLOCK = 8
Measured = Mapping[str, tuple[Sequence[int], ArrayLike]]
"""Column: the iterations at which it was measured, and the values: seed by iteration (by component)."""


def staircase(times: ArrayLike, budget: int = BUDGET, noise: float = 0.02, seed: int = 0) -> NDArray[np.float64]:
    """Losses of each number: 1 until its time, then 0, with noise; seed by iteration by number.

    Args:
        times: when each number is solved, seed by number; infinite: never.
        budget: iterations.
        noise: standard deviation, new at every iteration.
        seed: of the noise.
    """
    times = np.asarray(times, dtype=float)
    made = (np.arange(budget)[None, :, None] < times[:, None, :]).astype(float)
    return np.asarray(made + noise * np.random.default_rng(seed).standard_normal(made.shape))


def one_by_one(first: float = 200, step: float = 300, dims: int = 4, spread: float = 20) -> NDArray[np.float64]:
    """Times at which the numbers are solved, one after another; seeds differ by `spread` iterations."""
    times = first + step * np.arange(dims)
    return np.asarray(times[None] + spread * np.arange(SEEDS)[:, None])


def arm(
    name: str,
    losses: NDArray[np.float64],
    measured: Measured | None = None,
    graphs: Sequence[Connectivity] | None = None,
    **config: Any,
) -> Arm:
    """An arm with these losses of each number: seed by iteration by number."""
    seeds, budget, dims = losses.shape
    staircase = Staircase(dims, BLOCK)
    columns = {f"loss_dim/{dim}": losses[..., dim] for dim in range(dims)}
    columns |= {"loss": losses.mean(axis=2), "grad_norm": np.ones((seeds, budget))}
    columns["diverged"] = (~np.isfinite(columns["loss"])).astype(float)
    rows = {"seed": np.repeat(np.arange(seeds), budget), "iteration": np.tile(np.arange(budget), seeds)}
    history = pd.DataFrame(rows | {key: values.ravel().astype(np.float32) for key, values in columns.items()})
    outcomes = tuple(_outcome(seed, losses[seed].tobytes(), staircase) for seed in range(seeds))
    known = graphs or [Connectivity(16, 32, True, 0.5, 0.5, None)] * seeds
    summary = Summary(
        name, budget, staircase, outcomes, "escape_iteration", Estimate(0.0, None, None), dict(enumerate(known))
    )
    settings = {
        "task.dims": dims, "topology.experts": 16, "architecture.hidden": 32, "architecture.message": 8,
        "training.batch_size": 64, "optimizer.lr": 0.001, **config,
    }  # fmt: skip
    described = {key: column_of(key, None, vector=False) for key in (*columns, *(measured or {}))}
    run = Run(
        Path(name), name, summary, settings, history, snapshot_measures=_frame(measured or {}, seeds), columns=described
    )
    return Arm(name, run)


@cache
def _outcome(seed: int, losses: bytes, staircase: Staircase) -> SeedOutcome:
    """That of a seed's losses, iteration by number: many arms have the same."""
    curves = np.frombuffer(losses).reshape(-1, staircase.parts)
    columns = {f"loss_dim/{dim}": curves[:, dim] for dim in range(staircase.parts)}
    columns |= {"loss": curves.mean(axis=1), "grad_norm": np.ones(len(curves))}
    columns["diverged"] = ~np.isfinite(columns["loss"])
    return outcome(seed, {key: values.astype(np.float32) for key, values in columns.items()}, staircase)


def _frame(measured: Measured, seeds: int) -> pd.DataFrame | None:
    """As `measures.parquet` has it: a row for each seed and iteration, vectors as objects."""
    parts = []
    for column, (iterations, values) in measured.items():
        array = np.asarray(values, dtype=float)
        if array.shape[:2] != (seeds, len(iterations)):
            array = np.broadcast_to(array, (seeds, len(iterations), *array.shape[2:]))
        for place, iteration in enumerate(iterations):
            for seed in range(seeds):
                value = array[seed, place]
                parts.append((seed, iteration, column, value.tolist() if value.ndim else float(value)))
    if not parts:
        return None
    long = pd.DataFrame(parts, columns=["seed", "iteration", "column", "value"])
    wide = long.pivot(index=["seed", "iteration"], columns="column", values="value").reset_index()
    for column, (_, values) in measured.items():
        if np.asarray(values).ndim < 3:
            wide[column] = wide[column].astype(float)
    return wide


def constant(value: float, spread: float = 0.01, count: int = 1) -> NDArray[np.float64]:
    """About one value for every seed, at so many moments: seeds differ a little."""
    return np.asarray(value + spread * (np.arange(SEEDS)[:, None] - (SEEDS - 1) / 2) + np.zeros((1, count)))
