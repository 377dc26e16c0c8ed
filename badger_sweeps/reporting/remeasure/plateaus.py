"""`plateaus.parquet`: for each plateau, the Hurst exponents of the loss within it, and the means of all measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from badger_sweeps.core.columns import NORMALISED_ERROR, Column, columns
from badger_sweeps.core.files import read_json, replacing
from badger_sweeps.evaluation.hurst import ESTIMATORS, SERIES
from badger_sweeps.measures.dynamics.hurst import MIN_LENGTH, increments, on_stretches
from badger_sweeps.runs.history import read_columns
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.snapshot_measures import all_measured
from badger_sweeps.runs.summary import SUMMARY_FILE

PLATEAUS_FILE = "plateaus.parquet"
COLUMNS = columns(
    Column("start", "First iteration of the plateau"),
    Column("end", "Iteration after the plateau's last one"),
    Column("level", "Mean loss on the plateau", NORMALISED_ERROR),
    Column("rung", "Level of the staircase nearest to the plateau", NORMALISED_ERROR),
    Column("grad_norm", "Norm of the gradient on the plateau"),
    *(
        Column(f"hurst/{name}{what}", f"Hurst exponent of the {series}training loss within the plateau ({method})")
        for what, series in (("", ""), ("_increments", "increments of the "))
        for name, method in zip(ESTIMATORS, ("DFA", "R/S"), strict=True)
    ),
    Column("measured", "Iterations of the plateau at which any measure was taken"),
)
"""The columns after ``seed``, before the means of the run's measures, which keep their names."""


def table(plan: Plan, history: pd.DataFrame, measures: pd.DataFrame | None) -> pd.DataFrame | None:
    """A data frame with a row for each plateau of a finished run; None if the run is not finished.

    ``hurst/*`` are exponents of the training loss within the plateau and of its increments; NaN for fewer than 512
    iterations. All other measures are means over the iterations of the plateau at which they were taken, in training or
    from snapshots. `measured` is the number of iterations at which any measure was taken; a measure with a longer
    `every` has fewer values.
    """
    path = plan.folder / SUMMARY_FILE
    if not path.exists():
        return None
    rows = []
    numbers = all_measured(history, measures, read_columns(plan.folder)).select_dtypes("number")
    windowed = plan.measures.hurst.columns(plan.experiment)  # its sliding window is not one plateau
    numbers = numbers.drop(columns=[name for name in windowed if name in numbers])
    for seed in read_json(path)["seeds"]:
        rows_of_seed = history[history["seed"] == seed["seed"]]
        loss = torch.from_numpy(rows_of_seed["loss"].to_numpy(dtype=np.float32))
        known = numbers[numbers.index.get_level_values("seed") == seed["seed"]].droplevel("seed")
        for plateau in seed["plateaus"]:
            start, end = plateau["start"], plateau["end"]
            within = known[(known.index >= start) & (known.index < end)]
            rows.append(
                {
                    "seed": seed["seed"],
                    **{key: plateau[key] for key in ("start", "end", "level", "rung", "grad_norm")},
                    **_hurst_exponents(loss, start, end),
                    "measured": len(within),
                    **within.mean().to_dict(),
                }
            )
    return pd.DataFrame(rows)


def write(run: Path, plateaus: pd.DataFrame) -> Path:
    """Write `plateaus.parquet` into the run's folder, and return its path."""
    path = run / PLATEAUS_FILE
    with replacing(path) as file:
        plateaus.to_parquet(file)
    return path


def _hurst_exponents(loss: torch.Tensor, start: int, end: int) -> dict[str, float]:
    if end - start <= MIN_LENGTH:  # there is one increment fewer than losses
        return {f"hurst/{name}{series}": np.nan for series in SERIES for name in ESTIMATORS}
    levels = on_stretches(loss, [(start, end)])
    steps = on_stretches(increments(loss[None])[0], [(start, end - 1)])
    return {
        f"hurst/{name}{series}": float(getattr(exponents, name)[0])
        for series, exponents in zip(SERIES, (levels, steps), strict=True)
        for name in ESTIMATORS
    }
