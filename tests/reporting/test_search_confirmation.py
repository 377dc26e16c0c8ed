"""What is said of what a search found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.reporting.formatting import search_tables
from badger_sweeps.reporting.formatting.confirmation import confirmation_report
from badger_sweeps.reporting.reading.search import compare_trials, runs_in_report
from badger_sweeps.search.state import TrialRecord
from tests.reporting.recorded_searches import (
    FAST,
    SLOW,
    complete,
    failed,
    finished,
    open_trial,
    pruned,
    read_search,
    record_search,
)


def fresh(values: list[float], lr: float, first_seed: int = 100) -> FrozenTrial:
    return complete(values, lr, first_seed=first_seed)


def said(folder: Path) -> str:
    return " ".join(confirmation_report(read_search(folder)).sentences)


# What was found.


def trial_with(values: dict[str, float]) -> TrialRecord:
    trial = complete([0.0], 0.1, per_seed=values)
    return TrialRecord.of(trial)


def test_trials_are_compared_seed_by_seed_whatever_their_order() -> None:
    first, best = trial_with({"0": 1, "1": 20, "2": 300, "9": 5}), trial_with({"2": 310, "0": 2, "7": 0, "1": 20})
    comparison = compare_trials(first, best)
    assert comparison is not None
    assert comparison.difference.difference.value == pytest.approx((1 + 0 + 10) / 3)
    assert comparison.difference.pairs == 3
    assert comparison.first.value == pytest.approx(321 / 3)
    assert comparison.best.value == pytest.approx(332 / 3)
    without = compare_trials(first, best, excluded={"2"})
    assert without is not None
    assert without.difference.difference.value == pytest.approx(0.5)
    assert compare_trials(first, best, excluded={"0", "1", "2"}) is None


def test_a_lead_on_fresh_seeds_is_told_beside_the_searchs_own(tmp_path: Path) -> None:
    later = [value - 50 for value in SLOW]
    folder = record_search(
        tmp_path / "s",
        [complete(SLOW, 0.1), complete(later, 0.2), complete(FAST, 0.3), pruned(200, 0.4), failed("no", 0.5)],
        [fresh(SLOW, 0.1), fresh(later, 0.3)],
        confirm=["seeds=[100]"],
    )
    words = said(folder)
    # All eight differences are -50, so that there is no interval; of 2**8 flips of signs two are as extreme.
    lead = "the best trial (2) escapes its first plateau 50 iterations earlier than the first (0); p = 0.0078."
    assert words.startswith(f"On 8 fresh seeds {lead}")
    assert "The lead is confirmed." in words
    mean = 100 + 5 * np.arange(8).mean()
    assert re.search(
        rf"In the search itself it escapes its first plateau {mean:.0f} \[\d+, \d+\] iterations earlier", words
    )
    assert "too good on average, since the best of 4 trials was chosen by it" in words
    table = confirmation_report(read_search(folder)).rows
    assert [row[0] for row in table] == ["8 fresh", "the search's own 8"]
    assert [row[-1] for row in table] == ["0.0078", "-"]  # what was chosen by its lead cannot be tested by it
    assert float(table[0][1].split()[0]) == pytest.approx(np.mean(SLOW), rel=1e-3)
    assert table[0][3] == "-50"


def test_intervals_lie_on_the_side_that_the_words_take(tmp_path: Path) -> None:
    lead = np.array([30.0, 40, 50, 60, 70, 80, -10, 20])
    folder = record_search(
        tmp_path / "s",
        [complete(SLOW, 0.1), complete(FAST, 0.2)],
        [fresh(SLOW, 0.1), fresh(list(SLOW - lead), 0.2)],
    )
    found = re.search(
        r"escapes its first plateau (\d+) \[(-?\d+), (-?\d+)\] iterations earlier than the first \(0\)", said(folder)
    )
    assert found is not None
    size, low, high = map(int, found.groups())
    assert size == round(lead.mean())
    assert low < size < high
    cell = confirmation_report(read_search(folder)).rows[0][3]  # the same, with the signs of the table
    assert float(cell.split()[0]) == pytest.approx(-lead.mean(), rel=1e-3)


def moved(even: float, odd: float) -> list[float]:
    """The first trial's values, moved by as much for seeds in even and in odd places."""
    return [value + (odd if place % 2 else even) for place, value in enumerate(SLOW)]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (moved(50, 50), "On fresh seeds it is worse than the first trial."),
        (moved(-70, 60), "the lead is not confirmed."),
        (
            [value + (70 if place % 2 else -60) for place, value in enumerate(SLOW)],
            "The search's lead is not confirmed.",
        ),
        (SLOW, "Nothing is confirmed: on these seeds neither is better."),
    ],
)
def test_no_lead_is_made_up(tmp_path: Path, second: list[float], expected: str) -> None:
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2)]
    words = said(record_search(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(second, 0.2)]))
    assert expected in words
    assert "is confirmed." not in words.replace("Nothing is confirmed", "")


def test_too_few_seeds_are_no_test(tmp_path: Path) -> None:
    searched = [complete(SLOW[:5], 0.1), complete(FAST[:5], 0.2)]
    words = said(record_search(tmp_path / "s", searched, [fresh(SLOW[:5], 0.1), fresh(FAST[:5], 0.2)]))
    assert "fewer than 6 seeds are too few for a test" in words
    assert "not confirmed" in words


def test_seeds_that_the_search_has_used_are_not_fresh(tmp_path: Path) -> None:
    """Seeds 4 to 11, of which the search had 4 to 7: only 8 to 11 count, where there is no difference."""
    second = [value - 100 for value in SLOW[:4]] + SLOW[4:]
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2)]
    folder = record_search(tmp_path / "s", searched, [fresh(SLOW, 0.1, 4), fresh(second, 0.2, 4)])
    words = said(folder)
    assert "On 4 fresh seeds the best trial (1) does not differ from the first (0)" in words
    assert "Seeds left out of this, since the search had used them: 4, 5, 6, 7." in words
    none = record_search(tmp_path / "none", searched, [fresh(SLOW, 0.1, 0), fresh(second, 0.2, 0)])
    assert said(none).startswith("Nothing is confirmed: all seeds of the confirmation had been used in the search.")


def test_a_best_trial_that_is_the_first_says_so(tmp_path: Path) -> None:
    searched = [complete(FAST, 0.1), complete(SLOW, 0.2), pruned(100, 0.3)]
    folder = record_search(tmp_path / "s", searched, [fresh(SLOW, 0.1)])
    report = confirmation_report(read_search(folder))
    assert report.sentences[0] == "Nothing beat the first trial: none of the 2 others is better."
    assert report.sentences[1] == f"On fresh seeds: {np.mean(SLOW):.4g} iterations to escape."
    assert report.rows == []
    assert runs_in_report(read_search(folder)) == {
        folder / "0": "first and best (trial 0)",
        folder / "confirmation" / "0": "first and best on fresh seeds",
    }


def test_a_confirmation_that_is_not_complete_is_no_result(tmp_path: Path) -> None:
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2)]
    for name, second, expected in (
        ("running", open_trial(TrialState.RUNNING, 0.2), "the first: completed; the best: running."),
        ("failed", failed("ValueError: no", 0.2), "the first: completed; the best: failed (ValueError: no)."),
    ):
        words = said(record_search(tmp_path / name, searched, [fresh(SLOW, 0.1), second]))
        assert words.startswith(f"Nothing is confirmed yet on fresh seeds: {expected}")
        assert "In the search itself the best trial (1) escapes its first plateau" in words
    assert said(record_search(tmp_path / "a", searched)).startswith("Nothing is confirmed: `hydra.sweeper.confirm`")
    assert "has not begun" in said(record_search(tmp_path / "b", searched, confirm=["seeds=[9]"]))
    assert "follows when the search is done" in said(
        record_search(tmp_path / "c", searched, confirm=["seeds=[9]"], n_trials=9)
    )


def test_a_search_that_went_on_says_whom_its_confirmation_was_of(tmp_path: Path) -> None:
    best = [value - 1 for value in FAST]
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2), complete(best, 0.3)]
    folder = record_search(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(FAST, 0.2)])
    words = said(folder)
    assert "On 8 fresh seeds trial 1 escapes its first plateau" in words
    assert "Trial 2 has become the best since then, and is not confirmed." in words
    assert runs_in_report(read_search(folder))[folder / "confirmation" / "1"] == "trial 1 on fresh seeds"
    again = [fresh(SLOW, 0.1), fresh(best, 0.3), fresh(FAST, 0.2)]
    assert "On 8 fresh seeds the best trial (2) escapes its first plateau" in said(
        record_search(tmp_path / "t", searched, again)
    )


def test_a_first_trial_that_was_pruned_has_no_figure_in_the_search(tmp_path: Path) -> None:
    searched = [pruned(200, 0.1), complete(FAST, 0.2)]
    words = said(record_search(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(FAST, 0.2)]))
    assert "On 8 fresh seeds the best trial (1) escapes its first plateau" in words
    assert "its first trial is not complete (pruned, its mean is at least 200)" in words


def test_where_higher_is_better_a_lower_value_is_no_find(tmp_path: Path) -> None:
    high = [value + 50 for value in SLOW]
    details: dict[str, Any] = {"objectives": ["score"]}
    trials = [complete(SLOW, 0.1, **details), complete(high, 0.2, **details)]
    folder = record_search(tmp_path / "s", trials, [fresh(SLOW, 0.1), fresh(high, 0.2)], directions=["maximize"])
    words = said(folder)
    assert "the best trial (1) has a value 50 above that of the first (0); p = 0.0078. The lead is confirmed." in words
    assert [row.cells[0] for row in search_tables.table(read_search(folder)).rows] == ["1", "0"]
    back = [fresh(high, 0.1), fresh(SLOW, 0.2)]
    assert "is worse" in said(record_search(tmp_path / "t", trials, back, directions=["maximize"]))


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("escape_iteration", "escapes its first plateau 50 iterations earlier than"),
        ("solved_iteration", "solves the task 50 iterations earlier than"),
        ("plateau_iterations", "spends 50 fewer iterations on plateaus than"),
        ("final_loss", "ends with a loss 50 lower than"),
    ],
)
def test_every_objective_has_its_words(tmp_path: Path, objective: str, words: str) -> None:
    second = [value - 50 for value in SLOW]
    searched = [complete(own, lr, objectives=[objective]) for own, lr in ((SLOW, 0.1), (second, 0.2))]
    assert words in said(record_search(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(second, 0.2)]))


def test_values_without_seeds_are_compared_without_a_claim(tmp_path: Path) -> None:
    def plain(value: float, lr: float) -> FrozenTrial:
        return finished(TrialState.COMPLETE, {"state": "completed", "reason": ""}, lr, "gru", [value])

    again = [plain(4, 0.1), plain(3.5, 0.2)]
    words = said(record_search(tmp_path / "s", [plain(3, 0.1), plain(1, 0.2)], again, objective="error"))
    assert "Run once more with seeds=[100], the best trial (1) has a value 0.5 below that of the first" in words
    assert read_search(tmp_path / "s").objectives == ("error",)
    assert "there is no test of whether that is chance" in words


def test_a_trial_that_breaks_a_constraint_is_not_the_best(tmp_path: Path) -> None:
    breaking = complete(FAST, 0.2)
    optuna_name = "constraints"  # where Optuna keeps them is found by setting one
    probe = optuna.create_study()
    asked = probe.ask()
    asked.set_constraint("diverged", 0.5)
    breaking._system_attrs = dict(probe.trials[0].system_attrs)
    assert optuna_name in str(breaking._system_attrs)
    found = read_search(record_search(tmp_path / "s", [complete(SLOW, 0.1), breaking]))
    assert found.state.best is not None
    assert found.state.best.number == 0
    assert [row.cells[0] for row in search_tables.table(found).rows] == ["0", "1"]
