"""Reuse of finished runs: a run with the same configuration and code is copied instead of trained again."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from badger_sweeps.core.files import read_json, write_json
from badger_sweeps.runs.checkpoint import CHECKPOINT_FILE, SNAPSHOTS, read_checkpoint
from badger_sweeps.runs.graphs import GRAPHS_FILE
from badger_sweeps.runs.history import HISTORY_FILE
from badger_sweeps.runs.lock import exclusive
from badger_sweeps.runs.provenance import COMPUTED_FROM, PROVENANCE_FILE, computed_from, exit_status
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.summary import SUMMARY_FILE


def find_reusable_run(plan: Plan, below: Path) -> Path | None:
    """The oldest finished run two levels below a folder (`runs/STUDY/ARM`) with the history that the plan would have.

    None if there is no such run, or if the plan's own folder has a checkpoint already.
    """
    if (plan.folder / CHECKPOINT_FILE).exists():
        return None
    wanted = computed_from(plan.config)
    same = []
    for path in below.glob(f"*/*/{PROVENANCE_FILE}"):
        run = path.parent
        if run.resolve() == plan.folder.resolve() or not (run / SUMMARY_FILE).exists():
            continue
        try:
            content = read_json(path)
            if content.get(COMPUTED_FROM) != wanted or exit_status(run) != 0:
                continue
            # The identity also has the device and the graphs, which configuration and code do not determine.
            if read_checkpoint(run / CHECKPOINT_FILE)[0] == plan.experiment.identity:
                same.append((str(content["sessions"][0]["started"]), run))
        except (
            ValueError,
            LookupError,
            OSError,
            TypeError,
            AttributeError,
        ):  # damaged, or of another program
            continue
    return min(same)[1] if same else None


def copy_run(finished: Path, plan: Plan) -> None:
    """Copy a finished run's files into the plan's folder, where `run` then finds all iterations done.

    The copy is a separate run: it has its own id and group in W&B, and its provenance names the original. Measures that
    were taken from snapshots are not copied, since their settings or code may differ. The checkpoint is copied last, so
    that an interrupted copy counts as not started.
    """
    with exclusive(plan.folder):
        for name in (HISTORY_FILE, SNAPSHOTS):
            shutil.rmtree(plan.folder / name, ignore_errors=True)
            if (finished / name).is_dir():
                shutil.copytree(finished / name, plan.folder / name)
        for path in [finished / GRAPHS_FILE, *finished.glob("code-*.zip")]:
            shutil.copy2(path, plan.folder / path.name)
        content = read_json(finished / PROVENANCE_FILE)
        content |= {"run_id": secrets.token_hex(4), "group": plan.group or plan.name, "taken_over_from": str(finished)}
        write_json(plan.folder / PROVENANCE_FILE, content)
        shutil.copy2(finished / CHECKPOINT_FILE, plan.folder / f".{CHECKPOINT_FILE}.copy")
        (plan.folder / f".{CHECKPOINT_FILE}.copy").replace(plan.folder / CHECKPOINT_FILE)
