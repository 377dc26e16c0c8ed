"""The columns of a run's files, with the declarations that files of earlier versions lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from badger_sweeps.core.columns import Column
from badger_sweeps.core.errors import UsageError
from badger_sweeps.runs.history import read_columns
from badger_sweeps.runs.snapshot_measures import read_measured_columns

RENAMED_COLUMNS = {"silenced/loss": "message_ablation/loss"}
"""Columns that earlier versions wrote, with the present ones that declare them."""


def recorded_columns(run: Path) -> dict[str, Column]:
    """The columns of a run's history and `measures.parquet`, by name.

    A column without a declaration in its file has the one that the run's configuration gives it today; where it gives
    none, the column stays as its name suggests.

    Raises:
        UsageError: a file is damaged.
        FileNotFoundError: there is no history.
    """
    columns = read_columns(run) | read_measured_columns(run)
    if all(column.declared for column in columns.values()):
        return columns
    declared = _declared(run)
    found = {}
    for name, column in columns.items():
        known = declared.get(RENAMED_COLUMNS.get(name, name))
        found[name] = column if column.declared or known is None else replace(known, name=name)
    return found


def _declared(run: Path) -> Mapping[str, Column]:
    """All columns that training and any measure give with the configuration of a run; none if it cannot be built."""
    from badger_sweeps.configuration.builder import plan_of  # loads PyTorch, which current files do not need

    try:
        plan = plan_of(run)
    except (UsageError, FileNotFoundError):
        return {}
    measures = plan.measures.by_name.values()
    return {**plan.metrics, **{k: v for measure in measures for k, v in measure.columns(plan.experiment).items()}}
