"""The document `docs/replication.md` and its figures, from what the standard studies left.

A study that is not below RUNS keeps what the document says of it: to run all of them takes hours.
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
from badger_sweeps.runs.provenance import COMPUTED_FROM
from badger_sweeps.runs.provenance import NAME as PROVENANCE

from .claims import BY_IMPORTANCE

OPENING = (
    "# The document's claims, examined\n\n"
    "Written by `make replication` from what the standard studies left; not to be edited. The claims are those of "
    "Petr Šimánek, *Trainability of Badger*, GoodAI, 20 May 2020. What it leaves open is reconstructed and named in "
    "the docstrings; a claim that is not reproduced may hold under settings that the document does not tell.\n\n"
    "Read the verdicts as exploratory: definitions of most studies were settled after first results on the same seeds, "
    "at this or the quick scale, had been seen. What is told of other seeds confirms or does not: they were run after "
    "that, with `make study-NAME seeds='[8,9,10,11,12,13,14,15]'`. Behind the seeds stands a hash of the code that "
    "decides the numbers, as in the runs' `provenance.json`; studies are not all run anew whenever it changes.\n\n"
)
NOT_RUN = "Not run yet: "


class Examined(NamedTuple):
    """A study on the standard seeds, and the same on others."""

    study: StudyResult
    others: Sequence[StudyResult]


class Kept(NamedTuple):
    """What a document says of a study that is not run anew."""

    row: str
    section: Sequence[str]

    @property
    def kind(self) -> str:
        """Of its verdict."""
        verdict = self.row.split(" | ")[2]
        return next(kind for kind in (NOT_REPRODUCED, REPRODUCED, UNDECIDED) if verdict.startswith(kind))


def write(runs: Path, document: Path, console: Console) -> None:
    """Judge every study that has finished, and write the document with a figure for each; it keeps what it has of
    others.

    Raises:
        UsageError: there is no finished study.
    """
    examined = [found for name in BY_IMPORTANCE if (found := _examined(runs, name, console)) is not None]
    if not examined:
        raise UsageError(f"`{runs}` must have a finished standard study below it; found none.")
    pictures = document.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    for study, _ in examined:
        matplotlib_backend.write(study.chart, pictures / f"{study.name}.png")
    fresh = {study.name for study, _ in examined}
    kept = {name: own for name, own in _kept(document).items() if name not in fresh}
    told = {entry.name: entry for entry in entries()}
    twins = _same_runs([study for study, _ in examined])
    with replacing(document) as file:
        file.write(_text(examined, kept, told, pictures.name, twins).encode())


def _kept(document: Path) -> dict[str, Kept]:
    """The studies that a document tells of, by name."""
    if not document.exists():
        return {}
    opening, *sections = document.read_text().split("\n## ")
    rows = {line.split("]")[0].removeprefix("| ["): line for line in opening.splitlines() if line.startswith("| [")}
    found = {}
    for section in sections:
        name = section.split(maxsplit=1)[0]
        if name in rows and NOT_RUN not in section:
            found[name] = Kept(rows[name], [*f"## {section}".rstrip("\n").split("\n"), ""])
    return found


def _examined(runs: Path, name: str, console: Console) -> Examined | None:
    """On the standard seeds: at the full scale where it is finished, else at the quick one, else None.

    Other seeds count at the full scale alone: the quick one decides nothing.
    """
    standard = (_evaluated(folder, name, console) for folder in (runs / name, runs / f"{name}_quick"))
    study = next((found for found in standard if found is not None), None)
    if study is None:
        return None
    others = (_evaluated(folder, name, console) for folder in sorted(runs.glob(f"{name}_seeds_*")))
    return Examined(study, [found for found in others if found is not None])


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


def _same_runs(studies: Sequence[StudyResult]) -> dict[tuple[str, str], list[str]]:
    """For each study and run the runs of other studies that are the same one: of one configuration and code."""
    runs: dict[str, list[tuple[str, str]]] = {}
    for study in studies:
        for run in sorted(path.parent for path in study.folder.glob(f"*/{PROVENANCE}")):
            if known := json.loads((run / PROVENANCE).read_text()).get(COMPUTED_FROM):
                runs.setdefault(json.dumps(known, sort_keys=True), []).append((study.name, run.name))
    return {
        own: [f"{name}/{run}" for name, run in alike if (name, run) != own] for alike in runs.values() for own in alike
    }


def _text(
    examined: Sequence[Examined],
    kept: Mapping[str, Kept],
    entries: dict[str, Entry],
    pictures: str,
    twins: Mapping[tuple[str, str], list[str]],
) -> str:
    by_name = {found.study.name: found for found in examined}
    lines = [OPENING + FINDING_NOTE, "", "| study | claim | verdict | on other seeds |", "|---|---|---|---|"]
    for name in BY_IMPORTANCE:
        if name in kept:
            lines.append(kept[name].row)
            continue
        own = claim_of(name)
        claim = own.CLAIM if own is not None else ""
        found = by_name.get(name)
        verdict = _short(found.study) if found else "not run"
        others = "; ".join(f"{own.verdict.kind} ({_listed(own.seeds)})" for own in found.others) if found else ""
        lines.append(f"| [{name}](#{name}) | {_cell(claim)} | {verdict} | {others or '-'} |")
    kinds = [found.study.verdict.kind for found in examined] + [own.kind for own in kept.values()]
    summary = ", ".join(f"{kinds.count(kind)} {kind}" for kind in (REPRODUCED, NOT_REPRODUCED, UNDECIDED))
    lines += ["", f"{len(kinds)} of {len(BY_IMPORTANCE)} studies were run: {summary}.", ""]
    for name in BY_IMPORTANCE:
        if name in by_name:
            lines += _section(by_name[name], entries[name], pictures, twins)
        else:
            lines += kept[name].section if name in kept else _not_run(entries[name])
    return "\n".join(lines) + "\n"


def _section(
    examined: Examined, entry: Entry, pictures: str, twins: Mapping[tuple[str, str], Sequence[str]]
) -> list[str]:
    study, others = examined
    quick = " (quick only)" if study.quick else ""
    shared = [(run, own) for (name, run), own in twins.items() if name == study.name and own]
    notes = [f"{len(study.seeds)} seeds ({_listed(study.seeds)}), code {', '.join(study.code)}."]
    notes += [f"`{run}` is the same run as {', '.join(f'`{own}`' for own in runs)}." for run, runs in shared]
    return [
        f"## {study.name}{quick}",
        "",
        f"*{entry.question}*",
        "",
        f"**Claim.** {study.claim}",
        "",
        f"**Verdict: {study.verdict}.**",
        "",
        f"![{study.name}]({pictures}/{study.name}.png)",
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
    return [f"## {entry.name}", "", f"*{entry.question}*", "", f"{NOT_RUN}`make study-{entry.name}`", ""]


def _short(study: StudyResult) -> str:
    return f"{study.verdict.kind}{' (quick only)' if study.quick else ''}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _listed(seeds: Sequence[int]) -> str:
    whole = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
