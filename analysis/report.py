"""``python -m analysis.report RUNS``: print the result table of the runs below a folder and build its `report.html`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader
from plotly.offline import get_plotlyjs
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis import connectivity, frequencies, sweep_words, verdict, wording
from analysis.comparison import Difference, differences, row
from analysis.figures import escape, ladder, measures, search
from analysis.figures.style import configuration_color, rung_color
from analysis.gather import Collection, differing_keys, gather
from analysis.sweep import Sweep, parameters, runs_shown
from badger_sweeps.foundations.files import replacing

NAME = "report.html"


def build(collection: Collection) -> Path:
    """Write `report.html`, one file that needs no network, into the collection's folder."""
    runs = collection.runs
    infos = [ladder.compute(run) for run in runs]
    panels = [
        {
            "label": info.label,
            "figure": _html(ladder.draw(info), f"ladder-{number}"),
            "block": info.ladder.block,
            "rungs": [{"name": f"{rung:.3g}", "color": rung_color(rung)} for rung in info.ladder.rungs],
        }
        for number, info in enumerate(infos)
    ]
    measured = [(run.label, measures.compute(run)) for run in runs]
    seen = [(label, _html(measures.draw(own), f"measures-{n}")) for n, (label, own) in enumerate(measured) if own]
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    page = templates.get_template("page.html").render(
        title=f"Plateaus of {collection.folder.resolve().name}",
        plotly_js=get_plotlyjs(),
        columns=wording.COLUMNS,
        rows=[{"cells": wording.cells(row(run)), "color": configuration_color(i)} for i, run in enumerate(runs)],
        search=_search(collection),
        differences=[wording.sentence(difference) for difference in _differences(collection)],
        notes=wording.NOTES,
        escape=_html(escape.draw(escape.compute(runs)), "escape"),
        overview=_html(ladder.draw_all(infos), "overview"),
        blocks=" or ".join(sorted({str(info.ladder.block) for info in infos}, key=int)),
        panels=panels,
        measured=seen,
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


def print_search(sweep: Sweep, console: Console) -> None:
    """Print how a search stands, what it found, whether that is confirmed, and its best trials."""
    lines = [f"{sweep.view.name}: {sweep_words.how_many(sweep)[0]}", *sweep_words.how_many(sweep)[1:]]
    for line in [*lines, *verdict.verdict(sweep).sentences]:
        console.print(line, markup=False, highlight=False)
    found = sweep_words.table(sweep, sweep_words.ROWS_ON_TERMINAL)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    columns = found.columns[2 : found.fixed - ("iterations" in found.columns)]
    for column in ("trial", *columns, "parameters"):
        table.add_column(column, justify="left" if column in ("trial", "parameters") else "right", overflow="fold")
    names = sweep_words.short_names(parameters(sweep))
    for own in found.rows:
        values = zip(names, own.cells[found.fixed :], strict=False)
        params = " ".join(f"{name}={value}" for name, value in values if value != "-")
        number = " ".join([own.cells[0], *(own.roles or ([] if own.complete else [own.cells[1]]))])
        table.add_row(*map(Text, (number, *own.cells[2 : 2 + len(columns)], params)))
    console.print(table)


def print_table(collection: Collection, console: Console) -> None:
    """Print the result table, what is left out of it, and the paired differences."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, column in enumerate(wording.COLUMNS[: wording.ON_TERMINAL]):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for run in collection.runs:
        table.add_row(*wording.cells(row(run))[: wording.ON_TERMINAL])
    lines = []
    if collection.runs:
        console.print(table)
        lines = ["Brackets: 95 % intervals over seeds (BCa). p: sign-flip test, Holm-adjusted.", ""]
    lines += [wording.sentence(difference) for difference in _differences(collection)]
    lines += [f"left out: {folder}: {reason}" for folder, reason in collection.left_out]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def main() -> None:
    """Exit status 2 where there is nothing to report."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description=__doc__.split(": ", 1)[1])
    parser.add_argument("runs", type=Path, help="a folder with runs below it")
    folder = parser.parse_args().runs
    collection = gather(folder)
    if not collection.runs and collection.search is None:
        unfinished = f"{len(collection.left_out)} unfinished or damaged" if collection.left_out else "none"
        unread = dict(collection.left_out).get(".")
        complaint = unread or f"`{folder}` must have finished runs below it; found {unfinished}."
        print(f"analysis.report: {complaint}", file=sys.stderr)
        raise SystemExit(2)
    console = Console()
    if collection.search is not None:
        print_search(collection.search, console)
    print_table(collection, console)
    console.print(f"report: {os.path.relpath(build(collection))}", markup=False, highlight=False, soft_wrap=True)


def _differences(collection: Collection) -> list[Difference]:
    """Of runs that no search has chosen by the seeds they are compared on.

    What a search was for is compared in its own section, where it is the one comparison made and not one of several.
    """
    told = collection.search.objectives[0] if collection.search is not None else None
    found = differences([run for run in collection.runs if not run.searched])
    return [difference for difference in found if difference.quantity != told]


def _search(collection: Collection) -> dict[str, Any] | None:
    """What the page tells of the search in its folder; None if there is none."""
    sweep = collection.search
    if sweep is None:
        return None
    shown = {run.folder: run.label for run in collection.runs}
    missing = [label for folder, label in runs_shown(sweep).items() if folder not in shown]
    return {
        "how_many": sweep_words.how_many(sweep),
        "verdict": verdict.verdict(sweep),
        "comparison_columns": verdict.COMPARISON_COLUMNS,
        "comparison_note": verdict.COMPARISON_NOTE,
        "table": sweep_words.table(sweep),
        "table_note": sweep_words.TABLE_NOTE,
        "pictures": [
            {
                "name": picture.name,
                "heading": picture.heading,
                "caption": picture.caption,
                "figures": [_html(figure, f"{picture.name}-{n}") for n, figure in enumerate(picture.figures)],
            }
            for picture in search.draw(sweep)
        ],
        "shown": sweep_words.shown([shown[folder] for folder in runs_shown(sweep) if folder in shown], missing),
    }


def _html(figure: go.Figure, name: str) -> str:
    """The figure as HTML; its name on the page is given, so that the same runs give the same page."""
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=config, div_id=f"figure-{name}"))


if __name__ == "__main__":
    main()
