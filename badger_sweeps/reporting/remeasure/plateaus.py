"""Plateau by plateau: memory of the loss within it, and the mean of what was measured there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from badger_sweeps.core.files import replacing
from badger_sweeps.measures.dynamics.hurst import LEAST, increments, on_stretches
from badger_sweeps.reporting.reading.measures import all_measured
from badger_sweeps.runs.history import read_columns
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.summary import NAME as SUMMARY

NAME = "plateaus.parquet"


def table(plan: Plan, history: pd.DataFrame, measures: pd.DataFrame | None) -> pd.DataFrame | None:
    """A row for each plateau of a finished run; None where the run is not finished.

    ``hurst/*`` are of the training loss within the plateau (NaN for fewer than 512 iterations), levels and increments.
    All other measures are means over what was measured within, during training or from snapshots: `measured` says at
    how many iterations anything was, which a measure with a longer cadence of its own has fewer of.
    """
    path = plan.folder / SUMMARY
    if not path.exists():
        return None
    rows = []
    numbers = all_measured(history, measures, read_columns(plan.folder)).select_dtypes("number")
    numbers = numbers.drop(columns=[name for name in numbers if str(name).startswith("hurst/")])
    for seed in json.loads(path.read_text())["seeds"]:
        own = history[history["seed"] == seed["seed"]]
        loss = torch.from_numpy(own["loss"].to_numpy(dtype=np.float32))
        known = numbers[numbers.index.get_level_values("seed") == seed["seed"]].droplevel("seed")
        for plateau in seed["plateaus"]:
            start, end = plateau["start"], plateau["end"]
            within = known[(known.index >= start) & (known.index < end)]
            rows.append(
                {
                    "seed": seed["seed"],
                    **{key: plateau[key] for key in ("start", "end", "level", "rung", "grad_norm")},
                    **_memory(loss, start, end),
                    "measured": len(within),
                    **within.mean().to_dict(),
                }
            )
    return pd.DataFrame(rows)


def write(run: Path, found: pd.DataFrame) -> Path:
    """Write `plateaus.parquet` into the run's folder."""
    path = run / NAME
    with replacing(path) as file:
        found.to_parquet(file)
    return path


def _memory(loss: torch.Tensor, start: int, end: int) -> dict[str, float]:
    if end - start <= LEAST:  # increments are one fewer
        return {f"hurst/{name}{what}": np.nan for what in ("", "_increments") for name in ("dfa", "rs")}
    levels = on_stretches(loss, [(start, end)])
    steps = on_stretches(increments(loss[None])[0], [(start, end - 1)])
    return {
        f"hurst/{name}{what}": float(getattr(found, name)[0])
        for what, found in (("", levels), ("_increments", steps))
        for name in ("dfa", "rs")
    }
