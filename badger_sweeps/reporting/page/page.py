"""Building `report.html`: one file that contains all its data and scripts, and needs no network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from badger_sweeps.core.files import replacing
from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.reporting.formatting import confirmation, connectivity, frequencies, results, search_tables
from badger_sweeps.reporting.inference.comparison import Difference, Row
from badger_sweeps.reporting.page.panels import (
    differences,
    escape,
    graphs,
    measures,
    pairs,
    plateaus,
    search,
    sparkline,
)
from badger_sweeps.reporting.plotting import plotly_backend
from badger_sweeps.reporting.plotting.style import Spec, configuration_color, level_color, to_json
from badger_sweeps.reporting.reading.collection import Collection, Run, differing_keys
from badger_sweeps.reporting.reading.search import RecordedSearch, runs_in_report
from badger_sweeps.reporting.studies.result import StudyResult

REPORT_FILE = "report.html"
Link = Callable[[Path], str]
"""A function from a folder to the address that the page links to."""
WEB = Path(__file__).parent / "web"
ALL_SHOWN = 6
"""Maximum number of configurations that are all drawn at first."""
SHOWN_OF_MORE = 4
"""Number drawn at first if there are more: the first configuration, and those with the most and earliest escapes."""


def build(
    collection: Collection,
    rows: Sequence[Row],
    compared: Sequence[Difference],
    path: Path,
    heading: str | None = None,
    live: str | None = None,
    home: Path | None = None,
    files: str = "",
    study: StudyResult | None = None,
) -> None:
    """Write the page.

    Args:
        collection: the runs and searches that the page shows.
        rows: the rows of the result table, one for each run.
        compared: the paired differences between the runs.
        path: the file to write.
        heading: the page's heading; None for the folder's name.
        live: the page's version if it is served and asks the server for newer versions; else None.
        home: the folder that links are relative to; None for the folder of `path`.
        files: the path of `home` on the server; empty if the page is opened as a file.
        study: the evaluation of the claim that the runs are a study of; None if there is none.
    """
    link = partial(_link, home=home or path.parent, files=files)
    page = _template().render(
        title=heading or f"Plateaus of {collection.folder.resolve().name}",
        live=live,
        style=Markup((WEB / "page.css").read_text()),
        behaviour=Markup((WEB / "page.js").read_text()),
        plotly_js=Markup(get_plotlyjs()),
        study=_study(study) if study is not None else None,
        search=_search(collection, link),
        left_out=collection.left_out,
        notes=results.NOTES,
        **(_runs(collection.runs, rows, compared, link) if collection.runs else {"rows": []}),
    )
    with replacing(path) as file:
        file.write(page.encode())


def _study(study: StudyResult) -> dict[str, Any]:
    """The template's values for the section on a claim."""
    return {
        "claim": study.claim,
        "verdict": str(study.verdict),
        "kind": study.verdict.kind,
        "columns": results.FINDING_COLUMNS,
        "rows": [results.finding_cells(finding) for finding in study.findings],
        "note": results.FINDING_NOTE,
        "figure": plotly_backend.draw(study.chart),
        "caption": study.chart.caption,
        "command": study.command,
        "shared": [f"{run} is the run of {origin}" for run, origin in study.shared.items()],
    }


def _template() -> Any:
    templates = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    templates.filters["figure"] = _figure
    return templates.get_template("page.html")


def _runs(runs: Sequence[Run], rows: Sequence[Row], compared: Sequence[Difference], link: Link) -> dict[str, Any]:
    """The template's values for the sections on runs."""
    infos = [plateaus.compute(position, run) for position, run in enumerate(runs)]
    panels = measures.compute(runs)
    levels = sorted({level for info in infos for level in info.staircase.levels.tolist()})
    shown = _shown_first(rows)
    return {
        "rows": [
            _row(position, run, rows[position], position in shown, link) for position, run in enumerate(runs)
        ],
        "columns": results.COLUMNS,
        "all_shown": len(shown) == len(runs),
        "answers": results.answers(compared),
        "first": compared[0].first if compared else runs[0].label,
        "difference_columns": results.DIFFERENCE_COLUMNS,
        "differences": [
            {"heading": OBJECTIVES[name].title, "name": name,
             "figure": differences.draw(panel, OBJECTIVES[name].unit),
             "rows": [results.difference_cells(row.difference) for row in panel]}
            for name, panel in differences.compute(runs, compared).items()
        ],
        "escape": escape.draw(escape.compute(runs)),
        "panels": [
            {"name": panel.column.name, "title": panel.column.title, "first": panel.column.shown, "note": panel.note,
             "figure": measures.draw(panel, levels)}
            for panel in panels
        ],
        "pairs": [pairs.pictures(panel) for panel in pairs.compute(runs)],
        "graphs": graphs.pictures(graphs.compute(runs)),
        "graph_columns": connectivity.COLUMNS,
        "graph_rows": [connectivity.cells(run) for run in runs],
        "frequency_columns": frequencies.COLUMNS,
        "frequencies": [row for row in map(frequencies.cells, runs) if row],
        "staircases": [
            {"figure": plateaus.draw(info), "width": info.width, "levels":
             [{"name": f"{level:.3g}", "color": level_color(level)} for level in info.staircase.levels]}
            for info in infos
        ],
        "keys": [(key, [run.config.get(key, "-") for run in runs]) for key in differing_keys(runs)],
        "configurations": [
            {"label": run.label, "config": {key: str(value) for key, value in run.config.items()}} for run in runs
        ],
    }  # fmt: skip


def _row(position: int, run: Run, row: Row, shown: bool, link: Link) -> dict[str, Any]:
    summary = run.summary
    objective = OBJECTIVES[summary.objective]
    value, known = f"{summary.value:{objective.format}}", row.measurable or objective.needs_whole_run
    return {
        "cells": list(zip(results.cells(row), results.order(row), strict=True)),
        "budget": summary.budget,
        "objective": (f"{value} ({objective.heading})", summary.value.value) if known else ("-", None),
        "sparkline": sparkline.draw(sparkline.compute(run.history)),
        "color": configuration_color(position),
        "shown": shown,
        "progress": run.progress,
        "folder": link(run.folder),
        "link": quote(link(run.folder)),
    }


def _shown_first(rows: Sequence[Row]) -> set[int]:
    """The positions of the runs that are drawn at first."""
    if len(rows) <= ALL_SHOWN:
        return set(range(len(rows)))
    measurable = [position for position, row in enumerate(rows) if row.measurable]
    earliest = sorted(measurable, key=lambda at: (-rows[at].escaped_share.value, rows[at].mean_escape.value))
    return {0, *[position for position in earliest if position][: SHOWN_OF_MORE - 1]}


def _search(collection: Collection, link: Link) -> dict[str, Any] | None:
    """The template's values for the sections on the search in the page's folder; None if there is none."""
    sweep = collection.search
    if sweep is None:
        return None
    shown = {run.folder: run.label for run in collection.runs}
    missing = [label for folder, label in runs_in_report(sweep).items() if folder not in shown]
    table = search_tables.table(sweep)
    return {
        "how_many": search_tables.status_sentences(sweep),
        "verdict": confirmation.confirmation_report(sweep),
        "comparison_columns": confirmation.COMPARISON_COLUMNS,
        "comparison_note": confirmation.COMPARISON_NOTE,
        "table": table,
        "trials": [_trial(sweep, row, link) for row in table.rows],
        "table_note": search_tables.TABLE_NOTE,
        "pictures": search.draw(sweep),
        "shown": search_tables.runs_note(
            [shown[folder] for folder in runs_in_report(sweep) if folder in shown], missing
        ),
    }


def _trial(sweep: RecordedSearch, row: search_tables.TrialRow, link: Link) -> dict[str, Any]:
    folder = sweep.folder / row.cells[0]
    return {
        "row": row,
        "sparkline": sparkline.draw(sparkline.of_run(folder)),
        "link": quote(link(folder)) if folder.is_dir() else "",
    }


def _link(folder: Path, home: Path, files: str) -> str:
    return f"{files}{os.path.relpath(folder, home)}/"


def _figure(figure: go.Figure | Spec, name: str, description: str) -> Markup:
    """The HTML element that a figure is drawn into when it becomes visible, with the figure as JSON.

    Args:
        figure: the figure.
        name: a name that is unique on the page, and the same each time the page is built.
        description: a description for screen readers.
    """
    content = to_json(figure).replace("<", "\\u003c")
    height = json.loads(content)["layout"].get("height", 400)
    return Markup(
        '<div class="plot" id="figure-{0}" role="group" aria-label="{1}" style="height:{2}px"></div>'
        '<script type="application/json" id="figure-{0}-data">{3}</script>'
    ).format(name, description, height, Markup(content))
