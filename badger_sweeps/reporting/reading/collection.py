"""Find the runs below a folder and read what they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from badger_sweeps.configuration.recorded import configuration, run_folders
from badger_sweeps.core.columns import Columns
from badger_sweeps.reporting.reading.measures import all_measured, read_measured_columns, read_measures
from badger_sweeps.reporting.reading.search import RecordedSearch, belongs, read, runs_in_report
from badger_sweeps.reporting.reading.search_storage import CONFIRMATION, SearchLocation, UnreadableError, find
from badger_sweeps.reporting.reading.unfinished import iterations_done, standing, summarize_so_far
from badger_sweeps.runs.graphs import Links, read_links
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.history import read_columns, read_history
from badger_sweeps.runs.provenance import NAME as PROVENANCE
from badger_sweeps.runs.provenance import started
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.runs.summary import Summary, read_summary

DAMAGE = (OSError, ValueError, LookupError, TypeError, YAMLError, OmegaConfBaseException)
"""What reading files ends with that are not whole, or were written by somebody else."""


@dataclass(frozen=True)
class Run:
    """A run with a summary: its own, or what one would be if it had ended now.

    Attributes:
        folder: where it lies.
        label: what it is called; no two runs of a collection share it.
        summary: what became of its seeds.
        config: its resolved configuration, flat.
        history: all its metrics.
        links: the edges of each seed's graph, pairs of sender and receiver.
        measures: what was measured from its snapshots; None where nothing was.
        columns: what the columns of `history` and of `measures` hold.
        searched: whether it is a trial of a search, on the seeds on which the search chose between trials.
        standing: of one that is not finished, how far it is, in words; else empty.
    """

    folder: Path
    label: str
    summary: Summary
    config: Mapping[str, Any]
    history: pd.DataFrame
    links: Mapping[int, Links] = field(default_factory=dict)
    measures: pd.DataFrame | None = None
    columns: Columns = field(default_factory=dict)
    searched: bool = False
    standing: str = ""

    @cached_property
    def measured(self) -> pd.DataFrame:
        """Every measure, by seed and iteration, from training and from snapshots (`measures.all_measured`)."""
        return all_measured(self.history, self.measures, self.columns)


@dataclass(frozen=True)
class Collection:
    """The runs below a folder, and the folders that could not be used, with the reason.

    Of the trials of a search there are only those that are worth a closer look; the search itself tells of the others.

    Attributes:
        folder: it.
        runs: the finished ones; where it was asked for, unfinished ones as well.
        left_out: folder and reason.
        searches: those that could be read; that of `folder` itself, if there is one, comes first.
    """

    folder: Path
    runs: tuple[Run, ...]
    left_out: tuple[tuple[str, str], ...]
    searches: tuple[RecordedSearch, ...] = ()

    @property
    def search(self) -> RecordedSearch | None:
        """The search that the folder holds."""
        return next((own for own in self.searches if own.folder == self.folder), None)


def gather(folder: Path, unfinished: bool = False) -> Collection:
    """Read the finished runs below `folder`, in the order in which they were started.

    Args:
        folder: it.
        unfinished: whether to read those as well that are not, as they are at this moment.
    """
    found: list[Run] = []
    sources = find(folder)
    searches, left_out = _searches(sources, folder)
    shown = _shown(sources, searches, folder)
    for run in run_folders(folder):
        name = str(run.relative_to(folder))
        if any(belongs(run, source.folder) for source in sources) and (
            run not in shown or not (run / SUMMARY).exists()
        ):
            continue
        try:
            if all((run / file).exists() for file in (SUMMARY, HISTORY, PROVENANCE)):
                found.append(_read(run))
            elif unfinished and iterations_done(run):
                found.append(_read_so_far(run))
            else:
                left_out.append((name, f"not finished: {standing(run)}"))
        except DAMAGE as error:
            left_out.append((name, f"damaged: {' '.join(str(error).split()) or type(error).__name__}"))
    found.sort(key=lambda run: started(run.folder))
    others = [run for run in found if run.folder not in shown]
    labels = labels_of([run.summary.name for run in others], [str(run.folder.relative_to(folder)) for run in others])
    called = shown | {run.folder: label for run, label in zip(others, labels, strict=True)}
    labelled = [
        replace(run, label=called[run.folder], searched=run.folder in shown and run.folder.parent.name != CONFIRMATION)
        for run in found
    ]
    return Collection(folder, tuple(labelled), tuple(left_out), tuple(searches))


def _searches(sources: Sequence[SearchLocation], folder: Path) -> tuple[list[RecordedSearch], list[tuple[str, str]]]:
    found, left_out = [], []
    for source in sources:
        try:
            found.append(read(source))
        except UnreadableError as error:
            left_out.append((str(source.folder.relative_to(folder)), str(error)))
    return found, left_out


def _shown(sources: Sequence[SearchLocation], searches: Sequence[RecordedSearch], folder: Path) -> dict[Path, str]:
    """The runs of searches that are looked at, with their labels."""
    shown: dict[Path, str] = {}
    known = {own.folder: own for own in searches}
    for source in sources:
        if source.folder in known:
            own = runs_in_report(known[source.folder])
        else:  # what is best cannot be known, but what was confirmed is there to be seen
            runs = [source.folder / "0", *(source.folder / CONFIRMATION / number for number in "01")]
            own = {run: str(run.relative_to(source.folder)) for run in runs}
        lead = "" if source.folder == folder else f"{source.folder.relative_to(folder)}: "
        shown |= {run: f"{lead}{label}" for run, label in own.items()}
    return shown


def _read(run: Path) -> Run:
    return _whole(run, read_summary(run))


def _read_so_far(run: Path) -> Run:
    return replace(_whole(run, summarize_so_far(run)), standing=standing(run))


def _whole(run: Path, summary: Summary) -> Run:
    """All that is read of a run, so that what is damaged leaves out this one alone."""
    started(run)
    config, history = configuration(run), read_history(run)
    described = read_columns(run) | read_measured_columns(run)
    return Run(run, summary.name, summary, config, history, read_links(run), read_measures(run), described)


def labels_of(names: Sequence[str], folders: Sequence[str]) -> Sequence[str]:
    """The parts of the runs' names in which they differ; their folders where that does not tell them apart."""
    parts = [name.split(",") for name in names]
    common = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set(parts[0][1:] if parts else ())
    short = [",".join(part for part in own if part not in common) or own[0] for own in parts]
    return short if len(set(short)) == len(short) else folders


def differing_keys(runs: Sequence[Run]) -> list[str]:
    """The configuration keys in which the runs are not all alike."""
    keys = sorted({key for run in runs for key in run.config})
    return [key for key in keys if len({repr(run.config.get(key, "-")) for run in runs}) > 1]
