"""``python -m badger_sweeps.commands.sync DIR``: deliver the runs below a folder to W&B, each row once."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from badger_sweeps.commands.complaints import complain
from badger_sweeps.commands.door import plan
from badger_sweeps.foundations.errors import UsageError
from badger_sweeps.loading import CONFIG, runs_below
from badger_sweeps.measures.unmeasurable import tell_in_one_line
from badger_sweeps.runs.delivery import deliver
from badger_sweeps.runs.lock import InUse, exclusive
from badger_sweeps.sweeps.telling import NAME as TOLD
from badger_sweeps.tracking.wandb import Undelivered, WandB


def main() -> None:
    """Exit status 2 where there is nothing to deliver, 1 where W&B does not take it."""
    tell_in_one_line()
    program, does = "python -m badger_sweeps.commands.sync", __doc__.split(": ", 1)[1]
    parser = argparse.ArgumentParser(prog=program, description=does)
    parser.add_argument("runs", type=Path, help="a folder with runs below it")
    folder = parser.parse_args().runs
    try:
        sync(folder, Console())
    except Undelivered as refused:
        print(f"sync: {refused}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        raise complain(error) from error.__cause__


def sync(folder: Path, console: Console) -> None:
    """Deliver what is below a folder; a run that goes on is left for later.

    Raises:
        UsageError: there are no runs that are tracked by W&B.
        Undelivered: the server does not answer.
    """
    warnings.simplefilter("error", Undelivered)
    told = 0
    for name in runs_below(folder).names:
        run = folder / name
        config = cast(DictConfig, OmegaConf.load(run / CONFIG))
        hydra = cast(DictConfig, OmegaConf.load(run / CONFIG.with_name("hydra.yaml"))).hydra
        planned = plan(config, hydra, run)
        if not isinstance(planned.tracking, WandB):
            continue
        told += 1
        online = replace(planned, tracking=replace(planned.tracking, mode="online"))
        try:
            with exclusive(run):
                deliver(online)
        except InUse:
            console.print(f"{name}: goes on, left for later", markup=False, highlight=False, soft_wrap=True)
            continue
        console.print(f"{name}: delivered", markup=False, highlight=False, soft_wrap=True)
    searches = sorted(path for own in folder.rglob(TOLD) for path in own.parent.glob("wandb/offline-run-*"))
    if searches:  # of these W&B's own tool sends those that it has not sent
        tool = [sys.executable, "-m", "wandb", "sync", "--yes", *map(str, searches)]
        with TemporaryDirectory() as logs:  # which it would leave in the current folder
            if subprocess.run(tool, check=False, env={**os.environ, "WANDB_DIR": logs}).returncode:
                raise Undelivered("W&B: the server has not taken the runs of searches.")
    if not told:
        raise UsageError(f"`{folder}` must have runs with tracking=wandb below it; found none.")


if __name__ == "__main__":
    main()
