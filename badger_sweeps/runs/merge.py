"""One run's folder out of several that trained different seeds of the same configuration."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from badger_sweeps.foundations.files import write_json
from badger_sweeps.runs.graphs import NAME as GRAPHS
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.history import read_history, write_history
from badger_sweeps.runs.provenance import NAME as PROVENANCE
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.summary import Summary, summarize


def merge(plan: Plan, folders: Sequence[Path]) -> Summary:
    """Make `plan.folder` the run of all seeds: history, graphs, provenance of the first, and the summary it gives.

    Args:
        plan: with all seeds, in the order in which `folders` trained them.
        folders: finished runs. They keep their checkpoints, of which there is none of all seeds together.
    """
    order = {seed: place for place, seed in enumerate(plan.experiment.seeds)}
    rows = pd.concat([read_history(folder) for folder in folders])
    rows = rows.sort_values(["iteration", "seed"], key=lambda own: own.map(order) if own.name == "seed" else own)
    write_history(plan.folder / HISTORY, pa.Table.from_pandas(rows, preserve_index=False))
    write_json(plan.folder / GRAPHS, [graph for own in folders for graph in json.loads((own / GRAPHS).read_text())])
    shutil.copyfile(folders[0] / PROVENANCE, plan.folder / PROVENANCE)
    summary = summarize(plan.folder, plan.name, plan.experiment.training.iterations, plan.ladder, plan.objective)
    summary.write(plan.folder)
    return summary
