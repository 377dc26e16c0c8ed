"""What a search found, in words: whether it is better than what the search began with."""

from __future__ import annotations

from dataclasses import dataclass

from badger_sweeps.measures.estimates import FEWEST_PAIRS
from badger_sweeps.reporting.formatting.search_tables import estimate, listed, title
from badger_sweeps.reporting.reading.search import Comparison, Pair, RecordedSearch, compare, searched_seeds
from badger_sweeps.search.snapshot import TrialSnapshot
from badger_sweeps.search.trial_outcome import TrialStatus

LEVEL = 0.05
"""Below which a p-value confirms."""
LEADS = {
    "escape_iteration": ("leaves chance {} iterations earlier than", "leaves chance {} iterations later than"),
    "plateau_iterations": ("rests {} iterations less on plateaus than", "rests {} iterations more on plateaus than"),
    "solved_iteration": ("solves the task {} iterations earlier than", "solves the task {} iterations later than"),
    "final_loss": ("ends with a loss {} below that of", "ends with a loss {} above that of"),
}
"""How one trial differs from another whose value is larger, and smaller."""
OTHER_LEADS = ("has a value {} below that of", "has a value {} above that of")


@dataclass(frozen=True)
class Verdict:
    """What confirmation says.

    Attributes:
        sentences: in plain words.
        rows: of the table beside them: seeds, first, best, difference, p; empty where there is nothing to compare.
    """

    sentences: list[str]
    rows: list[list[str]]


COMPARISON_NOTE = (
    "Means over seeds with 95 % intervals (BCa; none below 8 seeds or where all agree); differences are paired by "
    "seed, p from a sign-flip test. There is no p for the search's own seeds: the best trial was chosen by them."
)
COMPARISON_COLUMNS = ("seeds", "first trial", "best trial", "best - first", "p")


def verdict(sweep: RecordedSearch) -> Verdict:
    """Whether what was found is better than what the search began with."""
    view = sweep.snapshot
    if len(view.directions) > 1:
        front = f"No other trial beats these in all objectives (the Pareto front): {listed(sweep.front)}."
        found = front if sweep.front else "No trial is complete yet."
        return Verdict([f"{found} There is no one best trial, and nothing was confirmed on fresh seeds."], [])
    if view.best is None:
        return Verdict(["No trial is complete yet."], [])
    told = _nothing_better(sweep) if sweep.same else _better(sweep, view.best)
    if any(value > 0 for value in view.best.details.get("constraints", {}).values()):
        told.sentences.insert(0, "No trial meets the constraints; the best of those that do not is taken.")
    return told


def _nothing_better(sweep: RecordedSearch) -> Verdict:
    view = sweep.snapshot
    so_far = "" if len(view.ended) >= view.total else " so far"
    others = sum(trial.state in (TrialStatus.COMPLETED, TrialStatus.PRUNED) for trial in view.trials) - 1
    beaten = f"none of the {others} others is better" if others > 1 else "there is no better one"
    sentences = [f"Nothing beat the first trial{so_far}: {beaten}."]
    trials = sweep.confirmation.trials if sweep.confirmation is not None else ()
    if trials and trials[0].estimate is not None:
        sentences.append(f"On fresh seeds: {estimate(trials[0].estimate)} {title(sweep.objectives[0])}.")
    return Verdict(sentences, [])


def _better(sweep: RecordedSearch, best: TrialSnapshot) -> Verdict:
    """Of a best trial that is another one than the first: on fresh seeds, and in the search itself."""
    view, first, pair, seen = sweep.snapshot, sweep.first, sweep.pair, searched_seeds(sweep)
    sentences, rows = [], []
    compared = best if pair is None else pair.searched
    fresh = None if pair is None else compare(pair.first, pair.best, seen)
    if pair is not None and fresh is not None:
        sentences += [_lead(sweep, fresh, compared), _judgement(sweep, fresh)]
        rows.append(_row(f"{fresh.difference.pairs} fresh", fresh, with_p=True))
        used = sorted(seen & set(pair.best.details["per_seed"]), key=int)
        if used:
            sentences.append(f"Seeds left out of this, since the search had used them: {', '.join(used)}.")
    elif pair is not None:
        sentences.append(_without_seeds(sweep, pair))
    elif sweep.fresh:
        when = "has not begun" if len(view.ended) >= view.total else "follows when the search is done"
        sentences.append(f"Nothing is confirmed yet: the run of the best trial and the first on fresh seeds {when}.")
    else:
        sentences.append("Nothing is confirmed: `hydra.sweeper.confirm` was not given.")
    if compared.number != best.number:
        sentences.append(f"Trial {best.number} has become the best since then, and is not confirmed.")
    searched = compare(first, compared) if first is not None else None
    sentences.append(_in_the_search(sweep, compared, searched, confirmed=fresh is not None))
    if searched is not None:
        rows.append(_row(f"the search's own {searched.difference.pairs}", searched, with_p=False))
    return Verdict(sentences, rows)


def _name(sweep: RecordedSearch, trial: TrialSnapshot) -> str:
    best = sweep.snapshot.best
    return f"the best trial ({trial.number})" if best and best.number == trial.number else f"trial {trial.number}"


def _lead(sweep: RecordedSearch, fresh: Comparison, best: TrialSnapshot) -> str:
    pairs, p_value = fresh.difference.pairs, fresh.difference.p_value
    assert sweep.first is not None
    who = f"{_name(sweep, best)} {_difference(sweep, fresh)} the first ({sweep.first.number})"
    test = f"p = {p_value:.2g}" if p_value is not None else f"fewer than {FEWEST_PAIRS} seeds are too few for a test"
    return f"On {pairs} fresh seeds {who}; {test}."


def _judgement(sweep: RecordedSearch, fresh: Comparison) -> str:
    value, p_value = fresh.difference.difference.value, fresh.difference.p_value
    if value == 0:
        return "Nothing is confirmed: on these seeds neither is better."
    better = (value < 0) == sweep.lower_is_better
    if p_value is None or p_value >= LEVEL:
        return "That may be luck: the lead is not confirmed." if better else "The search's find is not confirmed."
    return "The find is confirmed." if better else "What the search found is worse than what it began with."


def _in_the_search(sweep: RecordedSearch, best: TrialSnapshot, searched: Comparison | None, confirmed: bool) -> str:
    first = sweep.first
    assert first is not None
    tried = sum(trial.state in (TrialStatus.COMPLETED, TrialStatus.PRUNED) for trial in sweep.snapshot.trials)
    why = f"since the best of {tried} trials was picked by it and is partly luck"
    if searched is not None:
        subject = "it" if confirmed else _name(sweep, best)
        lead = f"{subject} {_difference(sweep, searched)} the first, on {searched.difference.pairs} seeds"
        return f"In the search itself {lead}: too good on average, {why}."
    if first.values is None or best.values is None:
        told = f"{first.state}, {first.reason}" if first.reason else str(first.state)
        return f"The search itself has no figure to set beside: its first trial is not complete ({told})."
    lead = f"{_name(sweep, best)} {_in_words(sweep, best.values[0] - first.values[0])} the first"
    return f"In the search itself {lead}: if values are subject to chance, too good on average, {why}."


def _without_seeds(sweep: RecordedSearch, pair: Pair) -> str:
    """Of a confirmation that is not complete, is on the search's own seeds, or tells no value per seed."""
    if pair.first.values is None or pair.best.values is None:
        states = f"the first: {_stands(pair.first)}; the best: {_stands(pair.best)}"
        return f"Nothing is confirmed yet on fresh seeds: {states}."
    if pair.best.details.get("per_seed"):
        return "Nothing is confirmed: all seeds of the confirmation had been used in the search."
    lead = _in_words(sweep, pair.best.values[0] - pair.first.values[0])
    with_what = f" with {', '.join(sweep.fresh)}" if sweep.fresh else ""
    return (
        f"Run once more{with_what}, {_name(sweep, pair.searched)} {lead} the first; without values for each "
        "seed it cannot be said whether by chance."
    )


def _stands(trial: TrialSnapshot) -> str:
    words = trial.reason or trial.progress
    return f"{trial.state}{f' ({words})' if words else ''}"


def _difference(sweep: RecordedSearch, comparison: Comparison) -> str:
    mean = comparison.difference.difference
    interval = (mean.low, mean.high) if mean.low is not None and mean.high is not None else None
    return _in_words(sweep, mean.value, interval)


def _in_words(sweep: RecordedSearch, value: float, interval: tuple[float, float] | None = None) -> str:
    """``leaves chance 120 [80, 160] iterations earlier than``: the size, and its interval on the same side."""
    if value == 0 and interval is None:
        return "does not differ from"
    objective = sweep.objectives[0]
    below, above = LEADS.get(objective, OTHER_LEADS)
    sign = -1 if value < 0 else 1
    size = _figure(objective, abs(value))
    if interval is not None:
        low, high = sorted(sign * bound for bound in interval)
        size += f" [{_figure(objective, low)}, {_figure(objective, high)}]"
    return (below if value < 0 else above).format(size)


def _figure(objective: str, value: float) -> str:
    return f"{value:.0f}" if objective.endswith(("_iteration", "_iterations")) else f"{value:.3g}"


def _row(seeds: str, comparison: Comparison, with_p: bool) -> list[str]:
    paired = comparison.difference
    p_value = "-" if not with_p or paired.p_value is None else f"{paired.p_value:.2g}"
    return [seeds, *(estimate(own) for own in (comparison.first, comparison.best, paired.difference)), p_value]
