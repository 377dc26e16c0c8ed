"""``badger-sweeps study NAME [KEY=VALUE ...]``: run a standard study, evaluate its claim, build figure and report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from badger_sweeps.commands import app, report
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.core.optional_libraries import MissingLibraryError, require
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.reporting.formatting.results import FINDING_COLUMNS, finding_cells
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.reporting.studies.catalogue import entries
from badger_sweeps.reporting.studies.claims import claim_of
from badger_sweeps.reporting.studies.evaluation import evaluate, measure, study_of
from badger_sweeps.reporting.studies.result import StudyResult
from badger_sweeps.tracking.tables import print_rows

EXAMPLE = "badger-sweeps study binding_outer scale=quick"
FIGURE = "figure.png"
"""The study's figure, in its folder."""
FOLDER = "hydra.sweep.dir"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "study", metavar="STUDY", help="a name listed by `badger-sweeps studies`, or the folder of a study that was run"
    )
    parser.add_argument(
        "overrides",
        metavar="KEY=VALUE",
        nargs="*",
        default=[],
        help="overrides of the study's runs, such as scale=quick or seeds=[8,9,10,11]; other seeds use another folder",
    )


def run(options: argparse.Namespace) -> None:
    """Train the runs that are missing, take the measures that the claim requires, and evaluate the claim."""
    folder = Path(options.study)
    if options.study in (names := [entry.name for entry in entries()]):
        check_libraries(options.study)
        folder = folder_of(options.study, options.overrides)
        app.train([f"study={options.study}", *options.overrides, f"{FOLDER}={_quoted(folder)}"])
    elif not options.study or not folder.is_dir():
        rule = "must be the name of a standard study (badger-sweeps studies), or the folder of one that was run"
        raise UsageError(f"`STUDY` {rule}; found {options.study!r}.{nearest(options.study, names)}")
    elif options.overrides:
        raise UsageError(f"`{options.overrides[0]}` must come with the name of a study; found the folder `{folder}`.")
    evaluate_claim(folder, Console())


def check_libraries(study: str) -> None:
    """Refuse, before anything is trained, a study whose claim requires a measure whose library is not installed.

    Raises:
        MissingLibraryError: it is not.
    """
    claim, known = claim_of(study), Measures().by_name
    for required in claim.REQUIRED_MEASURES if claim is not None else ():
        for name in required.measures:
            known[name].check_library()


def folder_of(name: str, overrides: Sequence[str]) -> Path:
    """The folder of a study's runs: ``runs/NAME``, with suffixes for the quick scale and for other seeds.

    Raises:
        UsageError: the overrides name a folder by an interpolation, or by nothing.
    """
    values = dict(override.split("=", 1) for override in overrides if "=" in override)
    if FOLDER in values:
        folder = values[FOLDER].strip("'\"")
        if not folder or "${" in folder:
            raise UsageError(f"`{FOLDER}` must name a folder, without interpolations; found {folder!r}.")
        return Path(folder)
    quick = "_quick" if values.get("scale") == "quick" else ""
    seeds = values.get("seeds", "").strip("[]").replace(" ", "").replace(",", "-")
    return Path("runs") / f"{name}{quick}{f'_seeds_{seeds}' if seeds else ''}"


def evaluate_claim(folder: Path, console: Console) -> None:
    """Take the required measures that are missing, evaluate the study's claim, and build figure and report.

    For a study without a claim, build only the report.

    Raises:
        UsageError: an arm is not finished, or a required measure cannot be taken.
    """
    study_and_config = study_of(folder)
    claim = claim_of(study_and_config[0]) if study_and_config else None
    if claim is None:
        report.make(folder, console)
        return
    collection = gather(folder)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        if measure(collection, claim.REQUIRED_MEASURES, progress):
            collection = gather(folder)
    study = evaluate(folder, collection)
    report.make(folder, console, study, collection)
    print_study(study, console)
    console.print(figure_line(study.chart, folder / FIGURE), markup=False, highlight=False, soft_wrap=True)


def figure_line(chart: Chart, path: Path) -> str:
    """Draw the study's figure; returns the line that says where it is, or why there is none.

    The report shows the same chart, and the verdict does not need it: without Matplotlib a study is judged as well.
    """
    try:
        require("matplotlib", "figure: not drawn, since it")
    except MissingLibraryError as missing:
        return str(missing)
    from badger_sweeps.reporting.plotting import matplotlib_backend

    matplotlib_backend.write(chart, path)
    return f"figure: {os.path.relpath(path)}"


def print_study(study: StudyResult, console: Console) -> None:
    """Print the claim, the finding for each of its parts, and the verdict."""

    def show(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    show(f"\nThe claim: {study.claim}")
    print_rows(console, FINDING_COLUMNS, list(map(finding_cells, study.findings)), left=(0, 1, 3, 5))
    show(f"Verdict: {study.verdict}")
    for run, origin in study.shared.items():
        show(f"{run} is the run of {origin}: same configuration, same code")


def _quoted(folder: Path) -> str:
    return "'" + str(folder).replace("'", "\\'") + "'"
