"""``badger-sweeps replication [RUNS]``: write docs/replication.md, with figures, from what the studies left."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from badger_sweeps.reporting.studies.claims import module

EXAMPLE = "badger-sweeps replication runs"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "runs", metavar="RUNS", type=Path, nargs="?", default=Path("runs"), help="the folder with the studies' folders"
    )
    parser.add_argument(
        "--document",
        type=Path,
        default=Path("docs") / "replication.md",
        help="the file to write (default: %(default)s); figures go beside it",
    )


def run(given: argparse.Namespace) -> None:
    """Write the document; it keeps what it says of studies that are not below RUNS."""
    console = Console()
    module("replication").write(given.runs, given.document, console)
    console.print(f"document: {given.document}", markup=False, highlight=False, soft_wrap=True)
