"""The collection of the runs and searches below a folder, read from their files."""

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
from badger_sweeps.configuration.recorded_columns import recorded_columns
from badger_sweeps.core.columns import Columns
from badger_sweeps.reporting.reading.search import RecordedSearch, belongs, read, runs_in_report
from badger_sweeps.reporting.reading.search_storage import CONFIRMATION, SearchLocation, UnreadableError, find
from badger_sweeps.reporting.reading.unfinished import iterations_done, progress, summarize_so_far
from badger_sweeps.runs.graphs import Links, read_links
from badger_sweeps.runs.history import HISTORY_FILE, read_history
from badger_sweeps.runs.provenance import PROVENANCE_FILE, started
from badger_sweeps.runs.snapshot_measures import all_measured, read_measures
from badger_sweeps.runs.summary import SUMMARY_FILE, Summary, read_summary

DAMAGE = (OSError, ValueError, LookupError, TypeError, YAMLError, OmegaConfBaseException)
"""The errors of reading files that are damaged, or that another program wrote."""


@dataclass(frozen=True)
class Run:
    """A finished run, or an unfinished run as it is now.

    Attributes:
        folder: the run's folder.
        label: the run's name on pages and in tables, unique in a collection.
        summary: each seed's outcome and the objective; of an unfinished run, those so far.
        config: the resolved configuration by dotted key.
        history: all metrics and the measures taken in training.
        links: by seed, the edges of its graph: pairs of sender and receiver.
        snapshot_measures: the measures taken from snapshots; None if there are none.
        columns: the columns of `history` and `snapshot_measures` by name.
        searched: whether the run is a trial of a search, on the seeds that the search compared trials on.
        progress: a description of an unfinished run's progress; empty for a finished one.
    """

    folder: Path
    label: str
    summary: Summary
    config: Mapping[str, Any]
    history: pd.DataFrame
    links: Mapping[int, Links] = field(default_factory=dict)
    snapshot_measures: pd.DataFrame | None = None
    columns: Columns = field(default_factory=dict)
    searched: bool = False
    progress: str = ""

    @cached_property
    def all_measures(self) -> pd.DataFrame:
        """The measures from training and from snapshots, indexed by seed and iteration (`all_measured`)."""
        return all_measured(self.history, self.snapshot_measures, self.columns)


@dataclass(frozen=True)
class Collection:
    """The runs and searches below a folder, and the folders that could not be read.

    Of the trials of a search, `runs` has only those that reports show in detail; `searches` has all trials.

    Attributes:
        folder: the folder.
        runs: the finished runs, and the unfinished ones if they were requested.
        left_out: folder and reason of each run or search that could not be read.
        searches: the searches that could be read; a search in `folder` itself comes first.
    """

    folder: Path
    runs: tuple[Run, ...]
    left_out: tuple[tuple[str, str], ...]
    searches: tuple[RecordedSearch, ...] = ()

    @property
    def search(self) -> RecordedSearch | None:
        """The search in `folder` itself; None if there is none."""
        return next((search for search in self.searches if search.folder == self.folder), None)


def gather(folder: Path, unfinished: bool = False) -> Collection:
    """Read the runs and searches below a folder; runs are in the order in which they were started.

    Args:
        folder: the folder.
        unfinished: whether to read unfinished runs too, as they are now.
    """
    runs: list[Run] = []
    sources = find(folder)
    searches, left_out = _searches(sources, folder)
    shown = _shown(sources, searches, folder)
    for path in run_folders(folder):
        name = str(path.relative_to(folder))
        if any(belongs(path, source.folder) for source in sources) and (
            path not in shown or not (path / SUMMARY_FILE).exists()
        ):
            continue
        try:
            if all((path / file).exists() for file in (SUMMARY_FILE, HISTORY_FILE, PROVENANCE_FILE)):
                runs.append(_read_finished(path))
            elif unfinished and iterations_done(path):
                runs.append(_read_unfinished(path))
            else:
                left_out.append((name, f"not finished: {progress(path)}"))
        except DAMAGE as error:
            left_out.append((name, f"damaged: {' '.join(str(error).split()) or type(error).__name__}"))
    runs.sort(key=lambda run: started(run.folder))
    others = [run for run in runs if run.folder not in shown]
    short = short_labels([run.summary.name for run in others], [str(run.folder.relative_to(folder)) for run in others])
    labels = shown | {run.folder: label for run, label in zip(others, short, strict=True)}
    labelled = [
        replace(run, label=labels[run.folder], searched=run.folder in shown and run.folder.parent.name != CONFIRMATION)
        for run in runs
    ]
    return Collection(folder, tuple(labelled), tuple(left_out), tuple(searches))


def _searches(sources: Sequence[SearchLocation], folder: Path) -> tuple[list[RecordedSearch], list[tuple[str, str]]]:
    """The searches that can be read, and folder and reason of the others."""
    searches, left_out = [], []
    for source in sources:
        try:
            searches.append(read(source))
        except UnreadableError as error:
            left_out.append((str(source.folder.relative_to(folder)), str(error)))
    return searches, left_out


def _shown(sources: Sequence[SearchLocation], searches: Sequence[RecordedSearch], folder: Path) -> dict[Path, str]:
    """The folders of the runs of searches that reports show in detail, with their labels."""
    shown: dict[Path, str] = {}
    by_folder = {search.folder: search for search in searches}
    for source in sources:
        if source.folder in by_folder:
            labels = runs_in_report(by_folder[source.folder])
        else:  # without the study the best trial is unknown; show the first trial and the runs of the confirmation
            runs = [source.folder / "0", *(source.folder / CONFIRMATION / number for number in "01")]
            labels = {run: str(run.relative_to(source.folder)) for run in runs}
        prefix = "" if source.folder == folder else f"{source.folder.relative_to(folder)}: "
        shown |= {run: f"{prefix}{label}" for run, label in labels.items()}
    return shown


def _read_finished(run: Path) -> Run:
    return _read_files(run, read_summary(run))


def _read_unfinished(run: Path) -> Run:
    return replace(_read_files(run, summarize_so_far(run)), progress=progress(run))


def _read_files(run: Path, summary: Summary) -> Run:
    """Read all files of a run that reports use, so that a damaged file leaves out only this run."""
    started(run)
    config, history = configuration(run), read_history(run)
    columns = recorded_columns(run)
    return Run(run, summary.name, summary, config, history, read_links(run), read_measures(run), columns)


def short_labels(names: Sequence[str], folders: Sequence[str]) -> Sequence[str]:
    """A label for each run: the parts of its name that not all names share; if these are not unique, the folders."""
    split = [name.split(",") for name in names]
    common = set(split[0]).intersection(*split[1:]) if len(split) > 1 else set(split[0][1:] if split else ())
    short = [",".join(part for part in parts if part not in common) or parts[0] for parts in split]
    return short if len(set(short)) == len(short) else folders


def differing_keys(runs: Sequence[Run]) -> list[str]:
    """The configuration keys in which the runs differ, sorted."""
    keys = sorted({key for run in runs for key in run.config})
    return [key for key in keys if len({repr(run.config.get(key, "-")) for run in runs}) > 1]
