"""Formats a search as sentences and table cells, which the terminal and the report share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.reporting.reading.search import RecordedSearch, effort, parameter_names
from badger_sweeps.search.state import ENDED, TrialRecord
from badger_sweeps.search.table import format_parameter
from badger_sweeps.search.trial_outcome import TrialStatus
from badger_sweeps.statistics.estimates import Estimate

ROWS = 100
"""The largest number of trials in the report's table."""
ROWS_ON_TERMINAL = 8
MOST_LISTED = 10
"""The largest number of reasons of failures, and of trial numbers in a sentence."""

TABLE_NOTE = (
    "Complete trials first, the best on top. Brackets: 95 % intervals over seeds. The number of a trial is the name of "
    "its folder. A seed that diverged counts the whole budget, and so does a trial of which all seeds diverged."
)


def title(objective: str) -> str:
    """The title of an objective, such as ``iterations to escape``; its name where it has none."""
    return OBJECTIVES[objective].heading if objective in OBJECTIVES else objective


def status_sentences(search: RecordedSearch) -> list[str]:
    """Sentences: the number of trials of each status, the iterations trained and saved, and the failures."""
    state, counts = search.state, search.state.counts
    total = max(state.total, len(state.trials))
    ended = ", ".join(f"{counts[status]} {status}" for status in ENDED if counts[status])
    unfinished = ", ".join(
        f"{counts[status]} {status}"
        for status in (TrialStatus.RUNNING, TrialStatus.INTERRUPTED, TrialStatus.WAITING)
        if counts[status]
    )
    left = total - len(state.trials)
    parts = [f"{len(state.ended)} of {total} trials have ended{': ' if ended else ''}{ended}"]
    parts += [unfinished] if unfinished else []
    parts += [f"{left} not begun"] if left else []
    sentences = [f"{'; '.join(parts)}."]
    cost = effort(search)
    if cost is not None and cost.trained:
        saved = f"; pruning saved {cost.saved:,.0f}, {cost.saved / (cost.trained + cost.saved):.0%} of the whole"
        trained = f"In total {cost.trained:,.0f} iterations were trained, each of all seeds of a trial"
        sentences.append(f"{trained}{saved if cost.saved else ''}.")
    return [*sentences, *_failures(search)]


def _failures(search: RecordedSearch) -> list[str]:
    numbers: dict[tuple[TrialStatus, str], list[int]] = defaultdict(list)
    for trial in search.state.trials:
        if trial.status == TrialStatus.FAILED or (trial.status == TrialStatus.DIVERGED and trial.values is None):
            numbers[trial.status, trial.reason or "no reason is known"].append(trial.number)
    sentences = [f"Trial {format_numbers(failed)} {status}: {reason}." for (status, reason), failed in numbers.items()]
    more = len(sentences) - MOST_LISTED
    return sentences[:MOST_LISTED] + ([f"{more} more reasons are in the trials' folders."] if more > 0 else [])


def format_numbers(numbers: Sequence[int]) -> str:
    """``3, 7, 12``; of many numbers the first `MOST_LISTED`, and how many more there are."""
    first, more = ", ".join(map(str, numbers[:MOST_LISTED])), len(numbers) - MOST_LISTED
    return first + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class TrialRow:
    """A trial as a row of the table.

    Attributes:
        cells: the text of each column.
        roles: those of best, first and front that the trial has.
        complete: whether the trial has a value.
    """

    cells: list[str]
    roles: list[str]
    complete: bool


@dataclass(frozen=True)
class TrialTable:
    """The table of a search's trials, best first.

    Attributes:
        columns: the titles of the columns.
        fixed: the number of columns before the parameters.
        why: whether a column of notes follows the parameters.
        rows: one for each trial in the table.
        left_out: a sentence about the trials that are left out; empty if none is.
    """

    columns: list[str]
    fixed: int
    why: bool
    rows: list[TrialRow]
    left_out: str


def table(search: RecordedSearch, most: int = ROWS) -> TrialTable:
    """Complete trials, best first; then unfinished ones, failed ones, and pruned ones, longest trained first."""
    trials = ordered(search)
    names = parameter_names(search)
    details = [trial.details for trial in trials]
    escaped = any("escaped" in entries for entries in details)
    iterations = any("iterations" in entries for entries in details)
    why = any(trial.reason or trial.progress for trial in trials)
    columns = ["trial", "state", *map(title, search.objectives)]
    columns += [word for word, wanted in (("escaped", escaped), ("iterations", iterations)) if wanted]
    rows = []
    for trial in trials[:most]:
        cells = [str(trial.number), str(trial.status), *_values(trial, len(search.objectives))]
        cells += [_escaped(trial)] * escaped
        cells += [str(trial.details.get("iterations", "-"))] * iterations
        cells += [format_parameter(trial.params[name]) if name in trial.params else "-" for name in names]
        cells += [trial.reason or trial.progress] * why
        rows.append(TrialRow(cells, _roles(trial, search), trial.values is not None))
    rest = trials[most:]
    counts = ", ".join(f"{count} {status}" for status, count in Counter(trial.status for trial in rest).items())
    return TrialTable(
        columns=[*columns, *names, *(["note"] * why)],
        fixed=len(columns),
        why=why,
        rows=rows,
        left_out=f"Left out of the table: the last {len(rest)} of {len(trials)} trials ({counts})." if rest else "",
    )


STATUS_ORDER = {
    TrialStatus.COMPLETED: 0,
    TrialStatus.RUNNING: 1,
    TrialStatus.INTERRUPTED: 2,
    TrialStatus.WAITING: 3,
    TrialStatus.FAILED: 4,
    TrialStatus.DIVERGED: 5,
    TrialStatus.PRUNED: 6,
}


def ordered(search: RecordedSearch) -> list[TrialRecord]:
    """All trials in the order of the table."""
    sign = 1 if search.lower_is_better else -1

    def rank(trial: TrialRecord) -> tuple[float | int, ...]:
        if trial.values is not None:
            behind_front = bool(search.front) and trial.number not in search.front
            return (0, trial.breaks_constraint, behind_front, sign * trial.values[0], trial.number)
        return (STATUS_ORDER[trial.status], -int(trial.details.get("iterations", 0)), trial.number)

    return sorted(search.state.trials, key=rank)


def short_names(names: Sequence[str]) -> list[str]:
    """The last part of each dotted name; the whole name where two names have the same last part."""
    last = [name.rsplit(".", 1)[-1] for name in names]
    return [end if last.count(end) == 1 else name for end, name in zip(last, names, strict=True)]


def _values(trial: TrialRecord, count: int) -> list[str]:
    if trial.values is None:
        return ["-"] * count
    intervals = trial.details.get("intervals") or [[None, None]] * count
    return [f"{Estimate(value, *bounds):.4g}" for value, bounds in zip(trial.values, intervals, strict=True)]


def _escaped(trial: TrialRecord) -> str:
    return f"{trial.details['escaped']}/{trial.details['seeds']}" if "escaped" in trial.details else "-"


def _roles(trial: TrialRecord, search: RecordedSearch) -> list[str]:
    best = search.state.best
    roles = ["best"] * (best is not None and trial.number == best.number)
    return roles + ["first"] * (trial.number == 0) + ["front"] * (trial.number in search.front)


def runs_note(labels: Sequence[str], missing: Sequence[str]) -> str:
    """Sentences about which of a search's runs the report shows in detail.

    Args:
        labels: of the runs that it shows.
        missing: labels of the runs that have not finished.
    """
    shown = f"Of the search's runs the report shows these in detail: {', '.join(labels)}." if labels else ""
    unfinished = f"These have no finished run: {', '.join(missing)}." if missing else ""
    return " ".join(filter(None, (shown, unfinished))) or "No run has finished yet."
