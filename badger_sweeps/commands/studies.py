"""``badger-sweeps studies``: list the standard studies: name, question, expected time on 2 cores."""

from __future__ import annotations

import argparse

from rich.console import Console

from badger_sweeps.reporting.studies.catalogue import entries
from badger_sweeps.reporting.studies.claims import order
from badger_sweeps.tracking.tables import print_rows

EXAMPLE = "badger-sweeps studies"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--names", action="store_true", help="print only the names of the studies of claims")


def run(options: argparse.Namespace) -> None:
    """Print the list."""
    if options.names:
        print("\n".join(order()))
        return
    console = Console()
    columns = ("study", "question", "scale=quick", "scale=full")
    print_rows(console, columns, [list(entry) for entry in entries()], left=(0, 1))
    console.print("Times are for 2 cores; runs that another study has trained already are reused.")
    console.print("Run one: badger-sweeps study NAME scale=quick", markup=False, highlight=False)
