"""``badger-sweeps watch RUNS``: the report of runs while they are going, in a browser on this machine alone."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from badger_sweeps.core.errors import UsageError
from badger_sweeps.reporting.page.live import HOST, PORT, View, bind

EXAMPLE = "badger-sweeps watch runs/quickstart"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "runs", metavar="RUNS", type=Path, help="a folder with runs below it, or one where they are going to be"
    )
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free one if it is taken; 0: a free one")


def run(given: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    if not given.runs.is_dir():
        raise UsageError(f"RUNS must be a folder; found `{given.runs}`.")
    with TemporaryDirectory() as folder:
        view = View(given.runs, Path(folder) / "report.html")
        try:
            server = bind(view, given.port)
        except OSError as error:
            raise UsageError(f"`--port` must be a port that is free; found {given.port}: {error}") from None
        try:
            view.refresh()
            print(f"{given.runs}: http://{HOST}:{server.server_port}/ (for looking only; Ctrl-C ends it)")
            print(f"W&B, in another terminal: {leet(given.runs)}", flush=True)
            threading.Thread(target=view.keep_fresh, daemon=True).start()
            server.serve_forever()
        except KeyboardInterrupt:
            print()
        finally:
            server.server_close()


def leet(folder: Path) -> str:
    """The command that shows the newest of the W&B runs below a folder in a terminal, where there are any."""
    found = max(folder.rglob("wandb/*/*.wandb"), key=lambda path: path.stat().st_mtime, default=None)
    wandb = Path(sys.executable).with_name("wandb")
    command = os.path.relpath(wandb) if wandb.exists() else "wandb"
    return shlex.join([command, "leet", os.path.relpath(found.parents[1] if found else folder / "wandb")])
