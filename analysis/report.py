"""``python -m analysis.report RUNS``: print the result table of the runs below a folder and build its `report.html`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader
from plotly.offline import get_plotlyjs
from rich import box
from rich.console import Console
from rich.table import Table

from analysis import connectivity, frequencies, wording
from analysis.comparison import differences, row
from analysis.figures import escape, ladder, measures
from analysis.figures.style import configuration_color, rung_color
from analysis.gather import Collection, differing_keys, gather
from badger_sweeps.foundations.files import replacing

NAME = "report.html"


def build(collection: Collection) -> Path:
    """Write `report.html`, one file that needs no network, into the collection's folder."""
    runs = collection.runs
    infos = [ladder.compute(run) for run in runs]
    panels = [
        {
            "label": info.label,
            "figure": _html(ladder.draw(info)),
            "block": info.ladder.block,
            "rungs": [{"name": f"{rung:.3g}", "color": rung_color(rung)} for rung in info.ladder.rungs],
        }
        for info in infos
    ]
    measured = [(run.label, measures.compute(run)) for run in runs]
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    page = templates.get_template("page.html").render(
        title=f"Plateaus of {collection.folder.resolve().name}",
        plotly_js=get_plotlyjs(),
        columns=wording.COLUMNS,
        rows=[{"cells": wording.cells(row(run)), "color": configuration_color(i)} for i, run in enumerate(runs)],
        differences=[wording.sentence(difference) for difference in differences(runs)],
        notes=wording.NOTES,
        escape=_html(escape.draw(escape.compute(runs))),
        overview=_html(ladder.draw_all(infos)),
        blocks=" or ".join(sorted({str(info.ladder.block) for info in infos}, key=int)),
        panels=panels,
        measured=[(label, _html(measures.draw(found))) for label, found in measured if found],
        frequency_columns=frequencies.COLUMNS,
        frequencies=[row for row in map(frequencies.cells, runs) if row],
        graph_columns=connectivity.COLUMNS,
        graphs=[connectivity.cells(run) for run in runs],
        keys=[(key, [run.config.get(key, "-") for run in runs]) for key in differing_keys(runs)],
        left_out=collection.left_out,
    )
    path = collection.folder / NAME
    with replacing(path) as file:
        file.write(page.encode())
    return path


def print_table(collection: Collection, console: Console) -> None:
    """Print the result table, what is left out of it, and the paired differences."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, column in enumerate(wording.COLUMNS[: wording.ON_TERMINAL]):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for run in collection.runs:
        table.add_row(*wording.cells(row(run))[: wording.ON_TERMINAL])
    console.print(table)
    lines = ["Brackets: 95 % intervals over seeds (BCa). p: sign-flip test, Holm-adjusted.", ""]
    lines += [wording.sentence(difference) for difference in differences(collection.runs)]
    lines += [f"left out: {folder}: {reason}" for folder, reason in collection.left_out]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def main() -> None:
    """Exit status 2 where there is nothing to report."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description=__doc__.split(": ", 1)[1])
    parser.add_argument("runs", type=Path, help="a folder with runs below it")
    folder = parser.parse_args().runs
    collection = gather(folder)
    if not collection.runs:
        unfinished = f"{len(collection.left_out)} unfinished or damaged" if collection.left_out else "none"
        print(f"analysis.report: `{folder}` must have finished runs below it; found {unfinished}.", file=sys.stderr)
        raise SystemExit(2)
    console = Console()
    print_table(collection, console)
    console.print(f"report: {os.path.relpath(build(collection))}", markup=False, highlight=False, soft_wrap=True)


def _html(figure: go.Figure) -> str:
    return str(
        figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True})
    )


if __name__ == "__main__":
    main()
