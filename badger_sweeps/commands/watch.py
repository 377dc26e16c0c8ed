"""``badger-sweeps watch RUNS``: show the report of runs while they are running, in a browser on this machine only."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from badger_sweeps.commands.command import typed_path
from badger_sweeps.core.errors import UsageError
from badger_sweeps.reporting.page.live import HOST, PORT, View, bind

EXAMPLE = "badger-sweeps watch runs/quickstart"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("runs", metavar="RUNS", type=typed_path, help="a folder with runs below it, now or later")
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free port if it is in use; 0: a free port")


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    if not options.runs.is_dir():
        raise UsageError(f"RUNS must be a folder; found `{options.runs}`.")
    with TemporaryDirectory() as folder:
        view = View(options.runs, Path(folder) / "report.html")
        try:
            server = bind(view, options.port)
        except OSError as error:
            raise UsageError(f"`--port` must be a port that is free; found {options.port}: {error}") from None
        try:
            view.refresh()
            print(f"{options.runs}: http://{HOST}:{server.server_port}/ (read-only; Ctrl-C ends it)")
            print(f"W&B, in another terminal: {leet(options.runs)}", flush=True)
            threading.Thread(target=view.keep_fresh, daemon=True).start()
            server.serve_forever()
        except KeyboardInterrupt:
            print()
        finally:
            server.server_close()


def leet(folder: Path) -> str:
    """The command that shows the newest W&B run below a folder in the terminal."""
    newest = max(folder.rglob("wandb/*/*.wandb"), key=lambda path: path.stat().st_mtime, default=None)
    wandb = Path(sys.executable).with_name("wandb")
    command = os.path.relpath(wandb) if wandb.exists() else "wandb"
    return shlex.join([command, "leet", os.path.relpath(newest.parents[1] if newest else folder / "wandb")])
