"""Numbers as the tables print them: the same words on the terminal and in the report."""

from __future__ import annotations

from analysis.comparison import Difference, Row
from badger_sweeps.measures.estimates import FEWEST, FEWEST_PAIRS, Estimate

ON_TERMINAL = 6
"""How many of `COLUMNS` fit on a terminal of 80 characters."""
COLUMNS = (
    "configuration",
    "escaped",
    "median escape",
    "restricted mean",
    "final loss",
    "solved",
    "on plateaus",
    "share escaped",
)


def cells(row: Row) -> list[str]:
    """A row of the result table, one text for each of `COLUMNS`."""
    diverged = f", {row.diverged} diverged" if row.diverged else ""
    final_loss = "-" if row.final_loss is None else loss(row.final_loss)
    if not row.measurable:
        return [row.label, f"budget too short{diverged}", "-", "-", final_loss, "-", "-", "-"]
    median = f"> {row.budget}" if row.median_escape is None else f"{row.median_escape:.0f}"
    return [
        row.label,
        f"{row.escaped}/{row.seeds}{diverged}",
        median,
        iterations(row.mean_escape),
        final_loss,
        f"{row.solved}/{row.seeds}",
        iterations(row.plateau_iterations),
        _with_interval(row.escaped_share, ".0%"),
    ]


def iterations(estimate: Estimate) -> str:
    """``94 [80, 110]``."""
    return _with_interval(estimate, ".0f")


def loss(estimate: Estimate) -> str:
    """``0.012 [0.011, 0.014]``."""
    return _with_interval(estimate, ".2g")


SENTENCES: dict[str, str] = {
    "escape_iteration": "{second} leaves chance {size} iterations {earlier} than {first}",
    "plateau_iterations": "{second} rests on plateaus {size} iterations {shorter} than {first}",
    "solved_iteration": "{second} solves the task {size} iterations {earlier} than {first}",
}


def sentence(difference: Difference) -> str:
    """A difference in words that say how sure it is."""
    mean = difference.paired.difference
    less = mean.value < 0
    text = SENTENCES[difference.quantity].format(
        first=difference.first,
        second=difference.second,
        size=f"{abs(mean.value):.0f}",
        earlier="earlier" if less else "later" if mean.value else "earlier or later",
        shorter="shorter" if less else "longer" if mean.value else "shorter or longer",
    )
    if mean.low is not None and mean.high is not None:
        text += f" [{mean.low:+.0f}, {mean.high:+.0f}]"
    text += f", in the mean over the {difference.paired.pairs} seeds of both within {difference.budget} iterations; "
    if difference.holm_p_value is None:
        return f"{text}fewer than {FEWEST_PAIRS} seeds, too few for a test."
    return f"{text}p = {difference.holm_p_value:.2g}."


NOTES = (
    "Escape: the first of three consecutive blocks whose mean loss lies below 1 - 0.25/D, with D the dimensions of the "
    "Guessing Game or the frequencies of the frequency task; chance is exactly 1. Solved: below 0.25/D. On plateaus: "
    "iterations spent on detected plateaus above rung 0.",
    "Seeds that have not escaped within the budget are censored there. The restricted mean counts them, and diverged "
    "seeds, as the budget; the median is given only where more than half escaped. The final loss is the mean of the "
    "last 50 iterations over seeds that did not diverge.",
    "Brackets are 95 % BCa bootstrap intervals over seeds (9999 resamples). "
    f"None is given below {FEWEST} seeds or where all seeds agree. "
    "The share escaped has its Wilson interval. p-values: sign-flip tests of differences paired by seed, adjusted for "
    "the number of comparisons (Holm).",
)


def _with_interval(estimate: Estimate, style: str) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{style}}"
    return f"{estimate.value:{style}} [{estimate.low:{style}}, {estimate.high:{style}}]"
