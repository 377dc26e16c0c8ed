"""Results as cells and sentences: the same texts on the terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from badger_sweeps.measures.objectives import OBJECTIVES, times
from badger_sweeps.reporting.inference.comparison import Difference, Row
from badger_sweeps.reporting.inference.evidence import Finding
from badger_sweeps.statistics.estimates import FEWEST, FEWEST_PAIRS
from badger_sweeps.statistics.multiple_testing import SIGNIFICANCE

ON_TERMINAL = 6
"""The number of `COLUMNS` that fit on a terminal of 80 characters."""
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
    final_loss = "-" if row.final_loss is None else f"{row.final_loss:.2g}"
    if not row.measurable:
        return [row.label, f"budget too short{diverged}", "-", "-", final_loss, "-", "-", "-"]
    median = f"> {row.budget}" if row.median_escape is None else f"{row.median_escape:.0f}"
    return [
        row.label,
        f"{row.escaped}/{row.seeds}{diverged}",
        median,
        f"{row.mean_escape:.0f}",
        final_loss,
        f"{row.solved}/{row.seeds}",
        f"{row.plateau_iterations:.0f}",
        f"{row.escaped_share:.0%}",
    ]


def order(row: Row) -> list[float | str | None]:
    """The sort key of a row for each of `COLUMNS`; None, which comes last, if there is no value."""
    last = None if row.final_loss is None else row.final_loss.value
    if not row.measurable:
        return [row.label, None, None, None, last, None, None, None]
    share, spent = row.escaped_share.value, row.plateau_iterations.value
    return [row.label, share, row.median_escape, row.mean_escape.value, last, row.solved / row.seeds, spent, share]


def sentence(difference: Difference) -> str:
    """A sentence on a difference, with its interval and p-value."""
    mean, objective = difference.paired.difference, OBJECTIVES[difference.objective]
    spec = objective.format
    if mean.value:
        differs = (objective.if_lower if mean.value < 0 else objective.if_higher).format(f"{abs(mean.value):{spec}}")
        text = f"{difference.second} {differs} {difference.first}"
    else:
        text = f"{difference.second} does not differ from {difference.first} in {objective.heading}"
    if mean.low is not None and mean.high is not None:
        text += f" [{mean.low:+{spec}}, {mean.high:+{spec}}]"
    text += f", in the mean over the {difference.paired.pairs} seeds of both within {difference.budget} iterations; "
    if difference.holm_p_value is None:
        return f"{text}fewer than {FEWEST_PAIRS} seeds, too few for a test."
    return f"{text}p = {difference.holm_p_value:.2g}."


DIFFERENCE_COLUMNS = ("configuration", "mean difference", "effect", "better in", "p")


def difference_cells(difference: Difference) -> list[tuple[str, float | str | None]]:
    """A difference's row: a text and a sort key for each of `DIFFERENCE_COLUMNS`."""
    paired, p_value, better = difference.paired, difference.holm_p_value, difference.better
    effect = paired.effect
    return [
        (difference.second, difference.second),
        (f"{paired.difference:+{OBJECTIVES[difference.objective].format}}", paired.difference.value),
        ("-" if effect is None else f"{effect:+.2f}", None if effect is None else effect.value),
        (f"{better}/{paired.pairs} seeds", better / paired.pairs),
        ("-" if p_value is None else f"{p_value:.2g}", p_value),
    ]


@dataclass(frozen=True)
class Answer:
    """The best configuration by one objective.

    Attributes:
        heading: the objective's heading (`Objective.answer_heading`).
        established: whether the difference is significant at `SIGNIFICANCE`; None if no configuration is better.
        words: sentences on the largest difference, among the established ones if there are any, and on its evidence.
    """

    heading: str
    established: bool | None
    words: str


def answers(differences: Sequence[Difference]) -> list[Answer]:
    """For each objective in iterations, the configuration that improves it most, by how much, and the evidence."""
    found = []
    for objective in times():
        heading = OBJECTIVES[objective].answer_heading
        of_objective = [difference for difference in differences if difference.objective == objective]
        if not of_objective:
            continue
        leads = [difference for difference in of_objective if difference.improvement > 0]
        if not leads:
            found.append(Answer(heading, None, f"Nothing is better than {of_objective[0].first}, the first."))
            continue
        established = [lead for lead in leads if lead.holm_p_value is not None and lead.holm_p_value < SIGNIFICANCE]
        best = max(established or leads, key=lambda difference: difference.improvement)
        tested = best.holm_p_value is not None  # with more seeds, the untested differences would be tested too
        comparisons = sum(difference.holm_p_value is not None or not tested for difference in differences)
        count = len(of_objective)
        selection = f"The largest of {count} differences is partly luck." if count > 1 else ""
        sentences = [sentence(best), "" if established else _doubt(best, comparisons), selection]
        found.append(Answer(heading, bool(established), " ".join(filter(None, sentences))))
    return found


def _doubt(difference: Difference, comparisons: int) -> str:
    """Why a difference is not established: chance is not excluded, or there are too few seeds for significance."""
    paired = difference.paired
    if difference.better < paired.pairs:
        return "That may be chance."
    # The smallest p-value of the sign-flip test of n pairs is 2/2^n; the adjustment multiplies it by the comparisons.
    needed = max(FEWEST_PAIRS, math.floor(1 + math.log2(comparisons / SIGNIFICANCE)) + 1)
    among = f" among {comparisons} comparisons" if comparisons > 1 else ""
    return f"All seeds agree, but {paired.pairs} are too few{among}: it takes {needed}."


NOTES = (
    "Escape: the first of three consecutive blocks whose mean loss lies below 1 - 0.25/D, with D the dimensions of the "
    "Guessing Game or the frequencies of the frequency task; chance is exactly 1. Solved: below 0.25/D. On plateaus: "
    "iterations spent on detected plateaus above level 0; the whole budget for seeds that never escaped or diverged.",
    "Seeds that have not escaped within the budget are censored there. The restricted mean counts them, and diverged "
    "seeds, as the budget; the median is given only where more than half escaped. The final loss is the mean of the "
    "last 50 iterations over seeds that did not diverge; where runs are compared seed by seed, a diverged one counts "
    "as 1.",
    "Brackets are 95 % BCa bootstrap intervals over seeds (9999 resamples). "
    f"None is given below {FEWEST} seeds or where all seeds agree. "
    "The share escaped has its Wilson interval. p-values: sign-flip tests of differences paired by seed, adjusted for "
    "the number of comparisons (Holm).",
)


FINDING_COLUMNS = ("if the claim holds", "found", "seeds", "test", "p", "result")
"""The columns of the table of a claim's parts."""


FINDING_NOTE = (
    "Brackets are 95 % BCa bootstrap intervals over seeds (Wilson for shares). Each part of a claim has a bound, and p "
    "is for the better supported of two statements: that what is found lies on the side of the bound that the claim "
    "asks for (holds), or on the other (refuted). A claim is reproduced if every part holds at p < 0.05, not "
    "reproduced if some part is refuted at p < 0.05, and else cannot be decided. The p of what holds is not adjusted, "
    "since all parts must hold; that of what is refuted is adjusted for the number of parts (Holm). What stands in "
    "parentheses is secondary, is not part of the verdict, and has its p-values adjusted among themselves in both "
    "directions."
)
"""How the verdict follows from the findings."""


def finding_cells(finding: Finding) -> list[str]:
    """A row for one part of a claim, one text for each of `FINDING_COLUMNS`."""
    effect = "-" if finding.effect is None else f"{finding.effect:.3g} {finding.unit}".strip()
    p_value = "-" if finding.p_value is None else f"{finding.p_value:.2g}"
    held = {True: "holds", False: "refuted", None: "open"}[finding.holds]
    so = held if finding.decides_verdict else f"({held})"
    return [finding.statement, effect, str(finding.seeds), finding.test or finding.missing or "-", p_value, so]
