"""``python -m analysis.rays OUT [RUNS]``: draw Schaul's two-dimensional system, with runs of two dimensions on top."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from analysis.figures import rays
from analysis.gather import gather
from badger_sweeps.foundations.files import replacing


def main() -> None:
    """Exit status 2 where a folder of runs has none of two dimensions."""
    parser = argparse.ArgumentParser(prog="python -m analysis.rays", description=__doc__.split(": ", 1)[1])
    parser.add_argument("out", type=Path, help="the HTML file to write")
    parser.add_argument("runs", type=Path, nargs="?", help="a folder with finished runs of task.dims=2 below it")
    arguments = parser.parse_args()
    overlay = rays.paths(gather(arguments.runs).runs) if arguments.runs else []
    if arguments.runs and not overlay:
        rule = "must have finished runs of task.dims=2 below it"
        print(f"analysis.rays: `{arguments.runs}` {rule}; found none.", file=sys.stderr)
        raise SystemExit(2)
    if not arguments.out.absolute().parent.is_dir():
        print(f"analysis.rays: OUT must be a file in a folder that exists; found `{arguments.out}`.", file=sys.stderr)
        raise SystemExit(2)
    with replacing(arguments.out) as file:
        file.write(rays.draw(rays.compute(), overlay).to_html(include_plotlyjs=True).encode())
    print(f"rays: {arguments.out}")


if __name__ == "__main__":
    main()
