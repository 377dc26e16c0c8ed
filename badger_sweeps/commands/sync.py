"""``badger-sweeps sync RUNS``: send the runs below a folder to W&B, each row once."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from badger_sweeps.commands.command import typed_path
from badger_sweeps.commands.tracked import tracked_below
from badger_sweeps.runs.delivery import deliver
from badger_sweeps.runs.lock import InUse, exclusive
from badger_sweeps.search.logger import SEARCH_FILE, exclusive_logging, logged_name
from badger_sweeps.tracking.wandb_connection import Undelivered

EXAMPLE = "badger-sweeps sync runs/quickstart"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("runs", metavar="RUNS", type=typed_path, help="a folder with runs below it")


def run(options: argparse.Namespace) -> None:
    """Send all runs; exit with status 1 if W&B's server does not receive them."""
    try:
        sync(options.runs, Console())
    except Undelivered as error:
        print(f"badger-sweeps sync: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def sync(folder: Path, console: Console) -> None:
    """Deliver the runs below a folder, except those that are still running.

    Raises:
        UsageError: there are no runs that W&B tracks.
        Undelivered: the server does not answer.
    """
    warnings.simplefilter("error", Undelivered)
    progress = Console(stderr=True)
    for name, planned, _ in tracked_below(folder, "online"):
        try:
            with exclusive(planned.folder):
                deliver(planned, progress)
        except InUse:
            _print(console, f"{name}: still running, not delivered")
            continue
        _print(console, f"{name}: delivered")
    for search in sorted(path.parent for path in folder.rglob(SEARCH_FILE)):
        name = f"search {logged_name(search)}"
        try:
            with exclusive_logging(search):
                _send(sorted(search.glob("wandb/offline-run-*")))
        except InUse:
            _print(console, f"{name}: still running, not delivered")
            continue
        _print(console, f"{name}: delivered")


def _send(runs: list[Path]) -> None:
    """Send the rows that the server does not have yet, with W&B's own tool."""
    if not runs:
        return
    tool = [sys.executable, "-m", "wandb", "sync", "--yes", *map(str, runs)]
    with TemporaryDirectory() as logs:  # by default the tool writes them into the current folder
        if subprocess.run(tool, check=False, env={**os.environ, "WANDB_DIR": logs}).returncode:
            raise Undelivered("W&B: the server has not received the runs of searches.")


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
