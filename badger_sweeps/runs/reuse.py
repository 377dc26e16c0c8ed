"""A finished run that is wanted once more is taken over, not trained again."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

from badger_sweeps.core.files import write_json
from badger_sweeps.runs.checkpoint import NAME as CHECKPOINT
from badger_sweeps.runs.checkpoint import SNAPSHOTS, read_checkpoint
from badger_sweeps.runs.graphs import NAME as GRAPHS
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.lock import exclusive
from badger_sweeps.runs.provenance import COMPUTED_FROM, computed_from, exit_status
from badger_sweeps.runs.provenance import NAME as PROVENANCE
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.summary import NAME as SUMMARY


def finished_alike(plan: Plan, below: Path) -> Path | None:
    """A finished run two levels below a folder (`runs/STUDY/ARM`) with the history that the plan would have.

    The first one that was made; None where there is none, or where the plan's own folder was begun already.
    """
    if (plan.folder / CHECKPOINT).exists():
        return None
    wanted = computed_from(plan.config)
    found = []
    for path in below.glob(f"*/*/{PROVENANCE}"):
        run = path.parent
        if run.resolve() == plan.folder.resolve() or not (run / SUMMARY).exists():
            continue
        try:
            content = json.loads(path.read_text())
            if content.get(COMPUTED_FROM) != wanted or exit_status(run) != 0:
                continue
            # The device and the graphs, which other things than configuration and code decide, are in the identity.
            if read_checkpoint(run / CHECKPOINT)[0] == plan.experiment.identity:
                found.append((str(content["sessions"][0]["started"]), run))
        except (ValueError, LookupError, OSError):  # somebody else's file, or a damaged one: nothing to take over
            continue
    return min(found)[1] if found else None


def adopt(found: Path, plan: Plan) -> None:
    """Copy what a finished run has computed into the plan's folder, where `run` then finds all iterations done.

    The copy is a run of its own: it has its own id and group in W&B, and says where it is from. What was measured from
    snapshots afterwards is not copied, as it may have been measured with other settings or other code. The checkpoint
    comes last, so that a copy that was cut off counts as not begun.
    """
    with exclusive(plan.folder):
        for name in (HISTORY, SNAPSHOTS):
            shutil.rmtree(plan.folder / name, ignore_errors=True)
            if (found / name).is_dir():
                shutil.copytree(found / name, plan.folder / name)
        for path in [found / GRAPHS, *found.glob("code-*.zip")]:
            shutil.copy2(path, plan.folder / path.name)
        content = json.loads((found / PROVENANCE).read_text())
        content |= {"run_id": secrets.token_hex(4), "group": plan.group or plan.name, "taken_over_from": str(found)}
        write_json(plan.folder / PROVENANCE, content)
        shutil.copy2(found / CHECKPOINT, plan.folder / f".{CHECKPOINT}.copy")
        (plan.folder / f".{CHECKPOINT}.copy").replace(plan.folder / CHECKPOINT)
