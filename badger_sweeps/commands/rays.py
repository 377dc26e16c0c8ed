"""``badger-sweeps rays OUT [RUNS]``: draw Schaul's two-dimensional system, with the paths of runs in it."""

from __future__ import annotations

import argparse
import sys

from badger_sweeps.commands.command import typed_path
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import replacing
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.reporting.studies.claims import module

EXAMPLE = "badger-sweeps rays rays.html runs/ray_interference_quick"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("out", metavar="OUT", type=typed_path, help="the HTML file to write")
    parser.add_argument(
        "runs", metavar="RUNS", type=typed_path, nargs="?", help="a folder with finished runs of task.dims=2 below it"
    )


def run(options: argparse.Namespace) -> None:
    """Write the figure."""
    rays = module("rays")
    collection = gather(options.runs) if options.runs else None
    overlay = rays.paths(collection.runs) if collection else []
    if options.runs and not overlay:
        raise UsageError(f"`{options.runs}` must have finished runs of task.dims=2 below it; found none.")
    if not options.out.absolute().parent.is_dir() or options.out.is_dir():
        raise UsageError(f"`OUT` must be a file in a folder that exists; found `{options.out}`.")
    for name, reason in collection.left_out if collection else ():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    with replacing(options.out) as file:
        file.write(rays.draw(rays.compute(), overlay).to_html(include_plotlyjs=True).encode())
    print(f"rays: {options.out}")
