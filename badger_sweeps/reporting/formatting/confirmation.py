"""Formats the confirmation: whether the best trial of a search is better than the first, as sentences and a table."""

from __future__ import annotations

from dataclasses import dataclass

from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.reporting.formatting.search_tables import format_numbers, title
from badger_sweeps.reporting.reading.search import Comparison, Pair, RecordedSearch, compare_trials, searched_seeds
from badger_sweeps.search.state import TrialRecord
from badger_sweeps.search.trial_outcome import TrialStatus
from badger_sweeps.statistics.estimates import FEWEST_PAIRS, Estimate
from badger_sweeps.statistics.multiple_testing import SIGNIFICANCE

OTHER = ("has a value {} below that of", "has a value {} above that of", ".3g")
"""How trials differ, and the format of the difference, in a search for something that is none of our objectives."""


@dataclass(frozen=True)
class ConfirmationReport:
    """The result of the confirmation.

    Attributes:
        sentences: about the fresh seeds and about the search's own.
        rows: of the table with `COMPARISON_COLUMNS`; empty where there is nothing to compare.
    """

    sentences: list[str]
    rows: list[list[str]]


COMPARISON_NOTE = (
    "Means over seeds with 95 % intervals (BCa; none below 8 seeds or where all agree); differences are paired by "
    "seed, p from a sign-flip test. There is no p for the search's own seeds: the best trial was chosen by them."
)
COMPARISON_COLUMNS = ("seeds", "first trial", "best trial", "best - first", "p")


def confirmation_report(search: RecordedSearch) -> ConfirmationReport:
    """Report whether the best trial is better than the first."""
    state = search.state
    if len(state.directions) > 1:
        front = f"No other trial beats these in all objectives (the Pareto front): {format_numbers(search.front)}."
        found = front if search.front else "No trial is complete yet."
        return ConfirmationReport(
            [f"{found} There is no one best trial, and nothing was confirmed on fresh seeds."], []
        )
    if state.best is None:
        return ConfirmationReport(["No trial is complete yet."], [])
    report = _first_is_best(search) if search.best_is_first else _another_is_best(search, state.best)
    if state.best.breaks_constraint:
        report.sentences.insert(0, "No trial meets the constraints; the best of those that do not is taken.")
    return report


def _first_is_best(search: RecordedSearch) -> ConfirmationReport:
    state = search.state
    so_far = "" if len(state.ended) >= state.total else " so far"
    others = sum(trial.status in (TrialStatus.COMPLETED, TrialStatus.PRUNED) for trial in state.trials) - 1
    beaten = f"none of the {others} others is better" if others > 1 else "there is no better one"
    sentences = [f"Nothing beat the first trial{so_far}: {beaten}."]
    trials = search.confirmation.trials if search.confirmation is not None else ()
    if trials and trials[0].estimate is not None:
        sentences.append(f"On fresh seeds: {trials[0].estimate:.4g} {title(search.objectives[0])}.")
    return ConfirmationReport(sentences, [])


def _another_is_best(search: RecordedSearch, best: TrialRecord) -> ConfirmationReport:
    """Compare a best trial with the first: on fresh seeds, and on the search's own."""
    state, first, pair, own_seeds = search.state, search.first, search.pair, searched_seeds(search)
    sentences, rows = [], []
    compared = best if pair is None else pair.searched
    fresh = None if pair is None else compare_trials(pair.first, pair.best, own_seeds)
    if pair is not None and fresh is not None:
        sentences += [_fresh_difference(search, fresh, compared), _conclusion(search, fresh)]
        rows.append(_row(f"{fresh.difference.pairs} fresh", fresh, with_p=True))
        used = sorted(own_seeds & set(pair.best.details["per_seed"]), key=int)
        if used:
            sentences.append(f"Seeds left out of this, since the search had used them: {', '.join(used)}.")
    elif pair is not None:
        sentences.append(_without_seeds(search, pair))
    elif search.fresh_overrides:
        when = "has not begun" if len(state.ended) >= state.total else "follows when the search is done"
        sentences.append(f"Nothing is confirmed yet: the run of the best trial and the first on fresh seeds {when}.")
    else:
        sentences.append("Nothing is confirmed: `hydra.sweeper.confirm` was not given.")
    if compared.number != best.number:
        sentences.append(f"Trial {best.number} has become the best since then, and is not confirmed.")
    searched = compare_trials(first, compared) if first is not None else None
    sentences.append(_searched_difference(search, compared, searched, confirmed=fresh is not None))
    if searched is not None:
        rows.append(_row(f"the search's own {searched.difference.pairs}", searched, with_p=False))
    return ConfirmationReport(sentences, rows)


def _name(search: RecordedSearch, trial: TrialRecord) -> str:
    best = search.state.best
    return f"the best trial ({trial.number})" if best and best.number == trial.number else f"trial {trial.number}"


def _fresh_difference(search: RecordedSearch, fresh: Comparison, best: TrialRecord) -> str:
    pairs, p_value = fresh.difference.pairs, fresh.difference.p_value
    assert search.first is not None
    who = f"{_name(search, best)} {_mean_difference(search, fresh)} the first ({search.first.number})"
    test = f"p = {p_value:.2g}" if p_value is not None else f"fewer than {FEWEST_PAIRS} seeds are too few for a test"
    return f"On {pairs} fresh seeds {who}; {test}."


def _conclusion(search: RecordedSearch, fresh: Comparison) -> str:
    value, p_value = fresh.difference.difference.value, fresh.difference.p_value
    if value == 0:
        return "Nothing is confirmed: on these seeds neither is better."
    better = (value < 0) == search.lower_is_better
    if p_value is None or p_value >= SIGNIFICANCE:
        return "That may be chance: the lead is not confirmed." if better else "The search's lead is not confirmed."
    return "The lead is confirmed." if better else "On fresh seeds it is worse than the first trial."


def _searched_difference(
    search: RecordedSearch, best: TrialRecord, searched: Comparison | None, confirmed: bool
) -> str:
    first = search.first
    assert first is not None
    tried = sum(trial.status in (TrialStatus.COMPLETED, TrialStatus.PRUNED) for trial in search.state.trials)
    why = f"since the best of {tried} trials was chosen by it and was partly lucky"
    if searched is not None:
        subject = "it" if confirmed else _name(search, best)
        lead = f"{subject} {_mean_difference(search, searched)} the first, on {searched.difference.pairs} seeds"
        return f"In the search itself {lead}: too good on average, {why}."
    if first.values is None or best.values is None:
        status = f"{first.status}, {first.reason}" if first.reason else str(first.status)
        return f"The search itself has no difference to compare: its first trial is not complete ({status})."
    lead = f"{_name(search, best)} {_format_difference(search, best.values[0] - first.values[0])} the first"
    return f"In the search itself {lead}: if values are subject to chance, too good on average, {why}."


def _without_seeds(search: RecordedSearch, pair: Pair) -> str:
    """The sentence on a confirmation that is not complete, has no fresh seeds, or has no values per seed."""
    if pair.first.values is None or pair.best.values is None:
        statuses = f"the first: {_format_status(pair.first)}; the best: {_format_status(pair.best)}"
        return f"Nothing is confirmed yet on fresh seeds: {statuses}."
    if pair.best.details.get("per_seed"):
        return "Nothing is confirmed: all seeds of the confirmation had been used in the search."
    lead = _format_difference(search, pair.best.values[0] - pair.first.values[0])
    with_what = f" with {', '.join(search.fresh_overrides)}" if search.fresh_overrides else ""
    return (
        f"Run once more{with_what}, {_name(search, pair.searched)} {lead} the first; without values for each "
        "seed there is no test of whether that is chance."
    )


def _format_status(trial: TrialRecord) -> str:
    note = trial.reason or trial.progress
    return f"{trial.status}{f' ({note})' if note else ''}"


def _mean_difference(search: RecordedSearch, comparison: Comparison) -> str:
    mean = comparison.difference.difference
    interval = (mean.low, mean.high) if mean.low is not None and mean.high is not None else None
    return _format_difference(search, mean.value, interval)


def _format_difference(search: RecordedSearch, value: float, interval: tuple[float, float] | None = None) -> str:
    """``escapes its first plateau 120 [80, 160] iterations earlier than``: size and interval have the same sign."""
    if value == 0 and interval is None:
        return "does not differ from"
    objective = OBJECTIVES.get(search.objectives[0])
    if_lower, if_higher, spec = (
        OTHER if objective is None else (objective.if_lower, objective.if_higher, objective.format)
    )
    sign = -1 if value < 0 else 1
    low, high = (None, None) if interval is None else sorted(sign * bound for bound in interval)
    return (if_lower if value < 0 else if_higher).format(f"{Estimate(abs(value), low, high):{spec}}")


def _row(seeds: str, comparison: Comparison, with_p: bool) -> list[str]:
    paired = comparison.difference
    p_value = "-" if not with_p or paired.p_value is None else f"{paired.p_value:.2g}"
    return [seeds, f"{comparison.first:.4g}", f"{comparison.best:.4g}", f"{paired.difference:.4g}", p_value]
