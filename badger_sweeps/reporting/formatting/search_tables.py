"""A search in words and in the cells of tables: the same on the terminal and in the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from badger_sweeps.measures.estimates import Estimate
from badger_sweeps.reporting.reading.search import RecordedSearch, effort, parameters
from badger_sweeps.search.snapshot import ENDED, TrialSnapshot
from badger_sweeps.search.trial_outcome import TrialStatus

ROWS = 100
"""Trials in the report's table at most."""
ROWS_ON_TERMINAL = 8
REASONS = 10
"""Different reasons of failures that are told at most."""

TABLE_NOTE = (
    "Complete trials first, the best on top. Brackets: 95 % intervals over seeds. Numbers of trials are those of their "
    "folders. A diverged trial counts what its seeds count that diverged: the whole budget."
)
TITLES = {
    "escape_iteration": "iterations to escape",
    "plateau_iterations": "iterations on plateaus",
    "solved_iteration": "iterations to solve",
    "final_loss": "final loss",
}
"""What the axes and columns of an objective are called."""


def title(objective: str) -> str:
    """``iterations to escape``."""
    return TITLES.get(objective, objective)


def how_many(sweep: RecordedSearch) -> list[str]:
    """How trials stand, what failed and why, and what was trained and saved: sentences."""
    view, counts = sweep.snapshot, sweep.snapshot.counts
    total = max(view.total, len(view.trials))
    ended = ", ".join(f"{counts[state]} {state}" for state in ENDED if counts[state])
    open_ones = ", ".join(
        f"{counts[state]} {state}" for state in (TrialStatus.RUNNING, TrialStatus.INTERRUPTED, TrialStatus.WAITING) if counts[state]
    )
    left = total - len(view.trials)
    parts = [f"{len(view.ended)} of {total} trials have ended{': ' if ended else ''}{ended}"]
    parts += [open_ones] if open_ones else []
    parts += [f"{left} not begun"] if left else []
    sentences = [f"{'; '.join(parts)}."]
    cost = effort(sweep)
    if cost is not None and cost.trained:
        saved = f"; pruning saved {cost.saved:,.0f}, {cost.saved / (cost.trained + cost.saved):.0%} of the whole"
        sentences.append(f"Trained: {cost.trained:,.0f} iterations of all seeds{saved if cost.saved else ''}.")
    return [*sentences, *_failures(sweep)]


def _failures(sweep: RecordedSearch) -> list[str]:
    numbers: dict[tuple[TrialStatus, str], list[int]] = defaultdict(list)
    for trial in sweep.snapshot.trials:
        if trial.state == TrialStatus.FAILED or (trial.state == TrialStatus.DIVERGED and trial.values is None):
            numbers[trial.state, trial.reason or "no reason is known"].append(trial.number)
    sentences = [f"Trial {listed(own)} {state}: {reason}." for (state, reason), own in numbers.items()]
    more = len(sentences) - REASONS
    return sentences[:REASONS] + ([f"{more} more reasons are in the trials' folders."] if more > 0 else [])


def listed(numbers: Sequence[int]) -> str:
    """``3, 7, 12``."""
    return ", ".join(map(str, numbers[:REASONS])) + (f" and {len(numbers) - REASONS} more" if numbers[REASONS:] else "")


def estimate(of: Estimate) -> str:
    """``94.5 [80, 110]``, or the value alone where there is no interval."""
    if of.low is None or of.high is None:
        return f"{of.value:.4g}"
    return f"{of.value:.4g} [{of.low:.4g}, {of.high:.4g}]"


@dataclass(frozen=True)
class TrialRow:
    """A trial in the table.

    Attributes:
        cells: one for each column.
        roles: of best, first, front.
        complete: whether it has a value.
    """

    cells: list[str]
    roles: list[str]
    complete: bool


@dataclass(frozen=True)
class TrialTable:
    """The trials, best first.

    Attributes:
        columns: names.
        fixed: how many columns come before the parameters.
        why: whether a column of words comes after them.
        rows: one for each trial shown.
        left_out: what is not shown, in a sentence; empty if nothing is.
    """

    columns: list[str]
    fixed: int
    why: bool
    rows: list[TrialRow]
    left_out: str


def table(sweep: RecordedSearch, most: int = ROWS) -> TrialTable:
    """Complete trials, best first; then those still open, those that failed, and pruned ones, latest pruned first."""
    trials = ordered(sweep)
    names = parameters(sweep)
    details = [trial.details for trial in trials]
    escaped = any("escaped" in own for own in details)
    iterations = any("iterations" in own for own in details)
    why = any(trial.reason or trial.progress for trial in trials)
    columns = ["trial", "state", *map(title, sweep.objectives)]
    columns += [word for word, wanted in (("escaped", escaped), ("iterations", iterations)) if wanted]
    rows = []
    for trial in trials[:most]:
        cells = [str(trial.number), str(trial.state), *_values(trial, len(sweep.objectives))]
        cells += [
            f"{trial.details['escaped']}/{trial.details['seeds']}" if "escaped" in trial.details else "-"
        ] * escaped
        cells += [str(trial.details.get("iterations", "-"))] * iterations
        cells += [brief(trial.params[name]) if name in trial.params else "-" for name in names]
        cells += [trial.reason or trial.progress] * why
        rows.append(TrialRow(cells, _roles(trial, sweep), trial.values is not None))
    rest = trials[most:]
    counts = ", ".join(f"{sum(own.state == state for own in rest)} {state}" for state in dict.fromkeys(
        own.state for own in rest))  # fmt: skip
    return TrialTable(
        columns=[*columns, *names, *(["note"] * why)],
        fixed=len(columns),
        why=why,
        rows=rows,
        left_out=f"Left out of the table: the last {len(rest)} of {len(trials)} trials ({counts})." if rest else "",
    )


PLACE = {
    TrialStatus.COMPLETED: 0,
    TrialStatus.RUNNING: 1,
    TrialStatus.INTERRUPTED: 2,
    TrialStatus.WAITING: 3,
    TrialStatus.FAILED: 4,
    TrialStatus.DIVERGED: 5,
    TrialStatus.PRUNED: 6,
}


def ordered(sweep: RecordedSearch) -> list[TrialSnapshot]:
    """All trials in the order of the table."""
    sign = 1 if sweep.lower_is_better else -1

    def place(trial: TrialSnapshot) -> tuple[float | int, ...]:
        if trial.values is not None:
            broken = any(value > 0 for value in trial.details.get("constraints", {}).values())
            ahead = bool(sweep.front) and trial.number not in sweep.front
            return (0, broken, ahead, sign * trial.values[0], trial.number)
        return (PLACE[trial.state], -int(trial.details.get("iterations", 0)), trial.number)

    return sorted(sweep.snapshot.trials, key=place)


def short_names(names: Sequence[str]) -> list[str]:
    """The last part of each dotted name, or all of it where that does not tell them apart."""
    last = [name.rsplit(".", 1)[-1] for name in names]
    return [own if last.count(own) == 1 else name for own, name in zip(last, names, strict=True)]


def brief(value: object) -> str:
    """A parameter's value."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _values(trial: TrialSnapshot, count: int) -> list[str]:
    if trial.values is None:
        return ["-"] * count
    intervals = trial.details.get("intervals") or [[None, None]] * count
    return [estimate(Estimate(value, *own)) for value, own in zip(trial.values, intervals, strict=True)]


def _escaped(trial: TrialSnapshot) -> str:
    return f"{trial.details['escaped']}/{trial.details['seeds']}" if "escaped" in trial.details else "-"


def _roles(trial: TrialSnapshot, sweep: RecordedSearch) -> list[str]:
    best = sweep.snapshot.best
    roles = ["best"] * (best is not None and trial.number == best.number)
    return roles + ["first"] * (trial.number == 0) + ["front"] * (trial.number in sweep.front)


def shown(labels: Sequence[str], missing: Sequence[str]) -> str:
    """Which runs a report looks at closely, of all those of a search."""
    here = f"Of the search's runs only these are looked at: {', '.join(labels)}." if labels else ""
    gone = f"No finished run lies in the folder of: {', '.join(missing)}." if missing else ""
    return " ".join(filter(None, (here, gone))) or "There is no finished run to look at yet."
