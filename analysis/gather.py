"""Find the runs below a folder and read what they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.source import CONFIRMATION, Source, UnreadableError, find
from analysis.sweep import Sweep, belongs, read, runs_shown
from badger_sweeps.loading import configuration
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.provenance import NAME as PROVENANCE
from badger_sweeps.runs.provenance import started
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.runs.summary import Summary, read_summary


@dataclass(frozen=True)
class FinishedRun:
    """A run with a summary.

    Attributes:
        folder: where it lies.
        label: what it is called; no two runs of a collection share it.
        summary: what became of its seeds.
        config: its resolved configuration, flat.
        history: all its metrics.
        searched: whether it is a trial of a search, on the seeds on which the search chose between trials.
    """

    folder: Path
    label: str
    summary: Summary
    config: Mapping[str, Any]
    history: pd.DataFrame
    searched: bool = False


@dataclass(frozen=True)
class Collection:
    """The runs below a folder, and the folders that could not be used, with the reason.

    Of the trials of a search there are only those that are worth a closer look; the search itself tells of the others.

    Attributes:
        folder: it.
        runs: the finished ones.
        left_out: folder and reason.
        searches: those that could be read; that of `folder` itself, if there is one, comes first.
    """

    folder: Path
    runs: tuple[FinishedRun, ...]
    left_out: tuple[tuple[str, str], ...]
    searches: tuple[Sweep, ...] = ()

    @property
    def search(self) -> Sweep | None:
        """The search that the folder holds."""
        return next((own for own in self.searches if own.folder == self.folder), None)


def gather(folder: Path) -> Collection:
    """Read the finished runs below `folder`, in the order in which they were started."""
    found: list[FinishedRun] = []
    sources = find(folder)
    searches, left_out = _searches(sources, folder)
    shown = _shown(sources, searches, folder)
    for config_file in sorted(folder.rglob(".hydra/config.yaml")):
        run = config_file.parent.parent
        name = str(run.relative_to(folder))
        if any(belongs(run, source.folder) for source in sources) and (
            run not in shown or not (run / SUMMARY).exists()
        ):
            continue
        missing = [file for file in (SUMMARY, HISTORY, PROVENANCE) if not (run / file).exists()]
        if missing:
            left_out.append((name, f"not finished: it has no {missing[0]}"))
            continue
        try:
            found.append(_read(run))
        except (OSError, ValueError, KeyError, TypeError) as error:
            left_out.append((name, f"damaged: {error}"))
    found.sort(key=lambda run: started(run.folder))
    others = [run for run in found if run.folder not in shown]
    labels = _labels([run.summary.name for run in others], [str(run.folder.relative_to(folder)) for run in others])
    called = shown | {run.folder: label for run, label in zip(others, labels, strict=True)}
    labelled = [
        replace(run, label=called[run.folder], searched=run.folder in shown and run.folder.parent.name != CONFIRMATION)
        for run in found
    ]
    return Collection(folder, tuple(labelled), tuple(left_out), tuple(searches))


def _searches(sources: Sequence[Source], folder: Path) -> tuple[list[Sweep], list[tuple[str, str]]]:
    found, left_out = [], []
    for source in sources:
        try:
            found.append(read(source))
        except UnreadableError as error:
            left_out.append((str(source.folder.relative_to(folder)), str(error)))
    return found, left_out


def _shown(sources: Sequence[Source], searches: Sequence[Sweep], folder: Path) -> dict[Path, str]:
    """The runs of searches that are looked at, with their labels."""
    shown: dict[Path, str] = {}
    known = {own.folder: own for own in searches}
    for source in sources:
        if source.folder in known:
            own = runs_shown(known[source.folder])
        else:  # what is best cannot be known, but what was confirmed is there to be seen
            runs = [source.folder / "0", *(source.folder / CONFIRMATION / number for number in "01")]
            own = {run: str(run.relative_to(source.folder)) for run in runs}
        lead = "" if source.folder == folder else f"{source.folder.relative_to(folder)}: "
        shown |= {run: f"{lead}{label}" for run, label in own.items()}
    return shown


def _read(run: Path) -> FinishedRun:
    summary = read_summary(run)
    started(run)  # refuses a damaged provenance here, where it leaves out this run alone
    return FinishedRun(run, summary.name, summary, configuration(run), read_history(run))


def _labels(names: Sequence[str], folders: Sequence[str]) -> Sequence[str]:
    """The parts of the runs' names in which they differ; their folders where that does not tell them apart."""
    parts = [name.split(",") for name in names]
    common = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set(parts[0][1:] if parts else ())
    short = [",".join(part for part in own if part not in common) or own[0] for own in parts]
    return short if len(set(short)) == len(short) else folders


def differing_keys(runs: tuple[FinishedRun, ...]) -> list[str]:
    """The configuration keys in which the runs are not all alike."""
    keys = sorted({key for run in runs for key in run.config})
    return [key for key in keys if len({repr(run.config.get(key, "-")) for run in runs}) > 1]
