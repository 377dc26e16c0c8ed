"""Merging runs that trained different seeds of the same configuration into one run's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from badger_sweeps.core.files import write_json
from badger_sweeps.runs.graphs import GRAPHS_FILE
from badger_sweeps.runs.history import HISTORY_FILE, read_table, write_history
from badger_sweeps.runs.provenance import PROVENANCE_FILE
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.summary import Summary, summarize


def merge(plan: Plan, folders: Sequence[Path]) -> Summary:
    """Write the run of all seeds into `plan.folder`, and return its summary.

    The folder gets the history, the graphs, the provenance of the first run, and the summary. It has no checkpoint.

    Args:
        plan: the run of all seeds, in the order of `folders`.
        folders: the folders of finished runs.
    """
    rows = pa.concat_tables([read_table(folder) for folder in folders], promote_options="default")
    order = pc.sort_indices(rows["iteration"])  # stable: within an iteration in the order of `folders`
    write_history(plan.folder / HISTORY_FILE, rows.take(order).cast(_as_written(rows.schema)).combine_chunks())
    write_json(
        plan.folder / GRAPHS_FILE, [graph for run in folders for graph in json.loads((run / GRAPHS_FILE).read_text())]
    )
    shutil.copyfile(folders[0] / PROVENANCE_FILE, plan.folder / PROVENANCE_FILE)
    summary = summarize(plan.folder, plan.name, plan.experiment.training.iterations, plan.staircase, plan.objective)
    summary.write(plan.folder)
    return summary


def _as_written(read: pa.Schema) -> pa.Schema:
    """The schema with which a run writes its history: reading Parquet changes the name of the items of lists."""
    return pa.schema(
        field.with_type(pa.list_(field.type.value_type)) if pa.types.is_list(field.type) else field for field in read
    )
