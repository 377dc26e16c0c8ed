"""The report `docs/replication.md` and its figures, from the runs of the standard studies.

The report keeps its section of a study that has no runs below RUNS, since running all studies takes hours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import replacing
from badger_sweeps.reporting.formatting.results import FINDING_COLUMNS, FINDING_NOTE, finding_cells
from badger_sweeps.reporting.inference.evidence import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from badger_sweeps.reporting.plotting import matplotlib_backend
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.reporting.studies.catalogue import Entry, entries
from badger_sweeps.reporting.studies.claims import claim_of
from badger_sweeps.reporting.studies.evaluation import evaluate, study_of
from badger_sweeps.reporting.studies.result import StudyResult
from badger_sweeps.runs.provenance import COMPUTED_FROM, PROVENANCE_FILE

from .claims import BY_IMPORTANCE

OPENING = (
    "# The document's claims, examined\n\n"
    "`badger-sweeps replication` writes this file from the runs of the standard studies; do not edit it. The claims "
    "are those of Petr Šimánek, *Trainability of Badger*, GoodAI, 20 May 2020, called the document here. Settings that "
    "the document leaves open are reconstructed, and the docstrings name them; a claim that is not reproduced may hold "
    "under settings that the document does not state.\n\n"
    "The verdicts are exploratory: most studies were defined in their final form after first results on the same "
    "seeds, at the full or the quick scale, had been seen. Results on other seeds are confirmatory: these seeds were "
    "run afterwards, with `badger-sweeps study NAME 'seeds=[8,9,10,11,12,13,14,15]'`. The code given after the seeds "
    "is a hash of the code that computes the numbers, as in the runs' `provenance.json`; a change of it does not mean "
    "that all studies were run again.\n\n"
)
NOT_RUN = "Not run yet: "


class Results(NamedTuple):
    """The results of one study: on the standard seeds, and on other seeds."""

    standard: StudyResult
    others: Sequence[StudyResult]


class EarlierText(NamedTuple):
    """The text about one study in an earlier version of the report: its row in the table, and its section."""

    row: str
    section: Sequence[str]

    @property
    def kind(self) -> str:
        """The kind of the verdict."""
        verdict = self.row.split(" | ")[2]
        return next(kind for kind in (NOT_REPRODUCED, REPRODUCED, UNDECIDED) if verdict.startswith(kind))


def write(runs: Path, report: Path, console: Console) -> None:
    """Write the report, with a figure for each finished study; it keeps its earlier text about all other studies.

    Args:
        runs: the folder with the runs of the studies.
        report: the file, and without its suffix the folder of the figures.
        console: prints the verdicts, and which folders are left out and why.

    Raises:
        UsageError: there is no finished study.
    """
    results = [found for name in BY_IMPORTANCE if (found := _results(runs, name, console)) is not None]
    if not results:
        raise UsageError(f"`{runs}` must have a finished standard study below it; found none.")
    figures = report.with_suffix("")
    figures.mkdir(parents=True, exist_ok=True)
    for study, _ in results:
        matplotlib_backend.write(study.chart, figures / f"{study.name}.png")
    evaluated = {study.name for study, _ in results}
    earlier = {name: text for name, text in _earlier_texts(report).items() if name not in evaluated}
    by_name = {entry.name: entry for entry in entries()}
    identical = _identical_runs([study for study, _ in results])
    with replacing(report) as file:
        file.write(_text(results, earlier, by_name, figures.name, identical).encode())


def _earlier_texts(report: Path) -> dict[str, EarlierText]:
    """The texts about the studies in an existing report, by name of the study."""
    if not report.exists():
        return {}
    opening, *sections = report.read_text().split("\n## ")
    rows = {line.split("]")[0].removeprefix("| ["): line for line in opening.splitlines() if line.startswith("| [")}
    found = {}
    for section in sections:
        name = section.split(maxsplit=1)[0]
        if name in rows and NOT_RUN not in section:
            found[name] = EarlierText(rows[name], [*f"## {section}".rstrip("\n").split("\n"), ""])
    return found


def _results(runs: Path, name: str, console: Console) -> Results | None:
    """The results of a study: at the full scale if it is finished, else at the quick scale, else None.

    On other seeds only the full scale is evaluated, since the quick scale decides nothing.
    """
    standard = (_evaluated(folder, name, console) for folder in (runs / name, runs / f"{name}_quick"))
    study = next((found for found in standard if found is not None), None)
    if study is None:
        return None
    others = (_evaluated(folder, name, console) for folder in sorted(runs.glob(f"{name}_seeds_*")))
    return Results(study, [found for found in others if found is not None])


def _evaluated(folder: Path, name: str, console: Console) -> StudyResult | None:
    known = study_of(folder)
    if known is None or known[0] != name:
        return None
    try:
        study = evaluate(folder, gather(folder))
    except UsageError as error:
        console.print(f"left out: {error}", markup=False, highlight=False, soft_wrap=True)
        return None
    console.print(f"{folder.name}: {study.verdict}", markup=False, highlight=False, soft_wrap=True)
    return study


def _identical_runs(studies: Sequence[StudyResult]) -> dict[tuple[str, str], list[str]]:
    """The identical runs of other studies, of equal configuration and code, by study and run."""
    runs: dict[str, list[tuple[str, str]]] = {}
    for study in studies:
        for run in sorted(path.parent for path in study.folder.glob(f"*/{PROVENANCE_FILE}")):
            if known := json.loads((run / PROVENANCE_FILE).read_text()).get(COMPUTED_FROM):
                runs.setdefault(json.dumps(known, sort_keys=True), []).append((study.name, run.name))
    return {
        run: [f"{name}/{other}" for name, other in identical if (name, other) != run]
        for identical in runs.values()
        for run in identical
    }


def _text(
    results: Sequence[Results],
    earlier: Mapping[str, EarlierText],
    entries: dict[str, Entry],
    figures: str,
    identical: Mapping[tuple[str, str], list[str]],
) -> str:
    by_name = {found.standard.name: found for found in results}
    lines = [OPENING + FINDING_NOTE, "", "| study | claim | verdict | on other seeds |", "|---|---|---|---|"]
    for name in BY_IMPORTANCE:
        if name in earlier:
            lines.append(earlier[name].row)
            continue
        module = claim_of(name)
        claim = module.CLAIM if module is not None else ""
        found = by_name.get(name)
        verdict = _short(found.standard) if found else "not run"
        others = "; ".join(f"{other.verdict.kind} ({_listed(other.seeds)})" for other in found.others) if found else ""
        lines.append(f"| [{name}](#{name}) | {_cell(claim)} | {verdict} | {others or '-'} |")
    kinds = [found.standard.verdict.kind for found in results] + [text.kind for text in earlier.values()]
    summary = ", ".join(f"{kinds.count(kind)} {kind}" for kind in (REPRODUCED, NOT_REPRODUCED, UNDECIDED))
    lines += ["", f"{len(kinds)} of {len(BY_IMPORTANCE)} studies were run: {summary}.", ""]
    for name in BY_IMPORTANCE:
        if name in by_name:
            lines += _section(by_name[name], entries[name], figures, identical)
        else:
            lines += earlier[name].section if name in earlier else _not_run(entries[name])
    return "\n".join(lines) + "\n"


def _section(
    results: Results, entry: Entry, figures: str, identical: Mapping[tuple[str, str], Sequence[str]]
) -> list[str]:
    study, others = results
    quick = " (quick only)" if study.quick else ""
    shared = [(run, same) for (name, run), same in identical.items() if name == study.name and same]
    notes = [f"{len(study.seeds)} seeds ({_listed(study.seeds)}), code {', '.join(study.code)}."]
    notes += [f"`{run}` is the same run as {', '.join(f'`{other}`' for other in runs)}." for run, runs in shared]
    return [
        f"## {study.name}{quick}",
        "",
        f"*{entry.question}*",
        "",
        f"**Claim.** {study.claim}",
        "",
        f"**Verdict: {study.verdict}.**",
        "",
        f"![{study.name}]({figures}/{study.name}.png)",
        "",
        study.chart.caption,
        "",
        *_table(study),
        "",
        " ".join(notes),
        "",
        f"`{study.command}` ({entry.quick if study.quick else entry.full} on 2 cores)",
        "",
        *(line for other in others for line in _confirmation(other)),
    ]


def _confirmation(study: StudyResult) -> list[str]:
    notes = f"{len(study.seeds)} seeds, code {', '.join(study.code)}."
    return [f"**On seeds {_listed(study.seeds)}: {study.verdict}.**", "", *_table(study), "", notes, ""]


def _table(study: StudyResult) -> list[str]:
    return [
        f"| {' | '.join(FINDING_COLUMNS)} |",
        "|" + "---|" * len(FINDING_COLUMNS),
        *(f"| {' | '.join(map(_cell, finding_cells(finding)))} |" for finding in study.findings),
    ]


def _not_run(entry: Entry) -> list[str]:
    return [f"## {entry.name}", "", f"*{entry.question}*", "", f"{NOT_RUN}`badger-sweeps study {entry.name}`", ""]


def _short(study: StudyResult) -> str:
    return f"{study.verdict.kind}{' (quick only)' if study.quick else ''}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _listed(seeds: Sequence[int]) -> str:
    consecutive = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
