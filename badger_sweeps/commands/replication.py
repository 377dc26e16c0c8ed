"""``badger-sweeps replication [RUNS]``: write docs/replication.md, with figures, from the standard studies' runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from badger_sweeps.commands.command import typed_path
from badger_sweeps.core.optional_libraries import require
from badger_sweeps.reporting.studies.claims import module

EXAMPLE = "badger-sweeps replication runs"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "runs",
        metavar="RUNS",
        type=typed_path,
        nargs="?",
        default=Path("runs"),
        help="the folder with the studies' folders",
    )
    parser.add_argument(
        "--document",
        type=typed_path,
        default=Path("docs") / "replication.md",
        help="the file to write (default: %(default)s); figures go into its folder",
    )


def run(options: argparse.Namespace) -> None:
    """Write the file; its sections on studies that are not below RUNS stay unchanged."""
    require("matplotlib", "A document with figures")
    console = Console()
    module("replication").write(options.runs, options.document, console)
    console.print(f"document: {options.document}", markup=False, highlight=False, soft_wrap=True)
