"""What a report tells of a search: computed from studies made by hand, and from real searches, in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState
from playwright.sync_api import Page, sync_playwright

from analysis import report, sweep_words
from analysis.figures import search
from analysis.gather import gather
from analysis.source import Source, UnreadableError, find
from analysis.sweep import Sweep, compare, effort, read, runs_shown
from analysis.verdict import verdict
from badger_sweeps.sweeps.racing import Race
from badger_sweeps.sweeps.storage import Place
from badger_sweeps.sweeps.study import State
from badger_sweeps.sweeps.view import TrialView
from tests.analysis.studies import BUDGET, SPACE, complete, failed, finished, open_trial, pruned, study

SLOW = [200.0, 220, 240, 210, 230, 250, 205, 215]
"""The first trial's values: of seeds 0 to 7."""
FAST = [value - 100 - 5 * place for place, value in enumerate(SLOW)]


def swept(folder: Path) -> Sweep:
    source = Source.of(folder)
    assert source is not None
    return read(source)


def fresh(values: list[float], lr: float, first_seed: int = 100) -> FrozenTrial:
    return complete(values, lr, first_seed=first_seed)


def said(folder: Path) -> str:
    return " ".join(verdict(swept(folder)).sentences)


# What a search has cost.


def test_pruning_saves_what_pruned_trials_did_not_train(tmp_path: Path) -> None:
    diverged = complete([BUDGET] * 8, 0.3, state="diverged", iterations=50, diverged=8)
    trials = [complete(SLOW, 0.1), pruned(100, 0.2), diverged, pruned(250, 0.4), failed("no", 0.5)]
    cost = effort(swept(study(tmp_path / "s", [*trials, open_trial(TrialState.RUNNING, 0.6)])))
    assert cost is not None
    assert cost.trained == 300 + 100 + 50 + 250  # a failed trial does not tell how far it came
    assert cost.saved == 200 + 50  # what a diverged trial leaves away is no merit of pruning


@pytest.mark.parametrize(
    ("begun", "iterations", "done"),
    [
        (3, 300, 3 * 300),  # lost at the end of the first stage
        (6, 100, 3 * 300 + 3 * 100),  # pruned within the second, whose three seeds came beside three that were done
        (8, 10, 6 * 300 + 2 * 10),  # the third has only two left
    ],
)
def test_a_race_counts_the_seeds_that_had_begun(tmp_path: Path, begun: int, iterations: int, done: int) -> None:
    trials = [complete(SLOW, 0.1), pruned(iterations, 0.2, seeds=begun)]
    found = swept(study(tmp_path / "s", trials, racing={"start": 3, "confidence": 0.95}))
    assert found.race == Race(start=3)
    cost = effort(found)
    assert cost is not None
    assert cost.trained == pytest.approx(300 + done / 8)
    assert cost.trained + cost.saved == pytest.approx(2 * 300)


def test_a_searched_budget_is_the_trials_own(tmp_path: Path) -> None:
    short = pruned(40, 0.2)
    short.params["training.iterations"] = 50
    short.distributions["training.iterations"] = optuna.distributions.IntDistribution(50, 300)
    cost = effort(swept(study(tmp_path / "s", [complete(SLOW, 0.1), short])))
    assert cost is not None
    assert (cost.trained, cost.saved) == (340, 10)


def test_applications_without_iterations_have_no_such_cost(tmp_path: Path) -> None:
    plain = finished(TrialState.COMPLETE, {"state": "completed", "reason": ""}, 0.1, "gru", [2.0])
    assert effort(swept(study(tmp_path / "s", [plain]))) is None


# What was found.


def view(values: dict[str, float]) -> TrialView:
    trial = complete([0.0], 0.1, per_seed=values)
    return TrialView.of(trial)


def test_trials_are_compared_seed_by_seed_whatever_their_order() -> None:
    first, best = view({"0": 1, "1": 20, "2": 300, "9": 5}), view({"2": 310, "0": 2, "7": 0, "1": 20})
    told = compare(first, best)
    assert told is not None
    assert told.difference.difference.value == pytest.approx((1 + 0 + 10) / 3)
    assert told.difference.pairs == 3
    assert told.first.value == pytest.approx(321 / 3)
    assert told.best.value == pytest.approx(332 / 3)
    without = compare(first, best, seen={"2"})
    assert without is not None
    assert without.difference.difference.value == pytest.approx(0.5)
    assert compare(first, best, seen={"0", "1", "2"}) is None


def test_a_lead_on_fresh_seeds_is_told_beside_the_searchs_own(tmp_path: Path) -> None:
    later = [value - 50 for value in SLOW]
    folder = study(
        tmp_path / "s",
        [complete(SLOW, 0.1), complete(later, 0.2), complete(FAST, 0.3)],
        [fresh(SLOW, 0.1), fresh(later, 0.3)],
        confirm=["seeds=[100]"],
    )
    words = said(folder)
    # All eight differences are -50, so that there is no interval; of 2**8 flips of signs two are as extreme.
    lead = "On 8 fresh seeds the best trial (2) leaves chance 50 iterations earlier than the first (0); p = 0.0078."
    assert words.startswith(lead)
    assert "The find is confirmed." in words
    mean = 100 + 5 * np.arange(8).mean()
    assert re.search(rf"In the search itself it leaves chance {mean:.0f} \[\d+, \d+\] iterations earlier", words)
    assert "too good on average, since the best of 3 trials was picked by it" in words
    table = verdict(swept(folder)).rows
    assert [row[0] for row in table] == ["8 fresh", "the search's own 8"]
    assert [row[-1] for row in table] == ["0.0078", "-"]  # what was chosen by its lead cannot be tested by it
    assert float(table[0][1].split()[0]) == pytest.approx(np.mean(SLOW), rel=1e-3)
    assert table[0][3] == "-50"


def test_intervals_lie_on_the_side_that_the_words_take(tmp_path: Path) -> None:
    lead = np.array([30.0, 40, 50, 60, 70, 80, -10, 20])
    folder = study(
        tmp_path / "s",
        [complete(SLOW, 0.1), complete(FAST, 0.2)],
        [fresh(SLOW, 0.1), fresh(list(SLOW - lead), 0.2)],
    )
    found = re.search(r"leaves chance (\d+) \[(-?\d+), (-?\d+)\] iterations earlier than the first \(0\)", said(folder))
    assert found is not None
    size, low, high = map(int, found.groups())
    assert size == round(lead.mean())
    assert low < size < high
    told = verdict(swept(folder)).rows[0][3]  # the same, with the signs of the table
    assert float(told.split()[0]) == pytest.approx(-lead.mean(), rel=1e-3)


def moved(even: float, odd: float) -> list[float]:
    """The first trial's values, moved by as much for seeds in even and in odd places."""
    return [value + (odd if place % 2 else even) for place, value in enumerate(SLOW)]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (moved(50, 50), "What the search found is worse than what it began with."),
        (moved(-70, 60), "the lead is not confirmed."),
        (
            [value + (70 if place % 2 else -60) for place, value in enumerate(SLOW)],
            "The search's find is not confirmed.",
        ),
        (SLOW, "Nothing is confirmed: on these seeds neither is better."),
    ],
)
def test_no_lead_is_made_up(tmp_path: Path, second: list[float], expected: str) -> None:
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2)]
    words = said(study(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(second, 0.2)]))
    assert expected in words
    assert "is confirmed." not in words.replace("Nothing is confirmed", "")


def test_too_few_seeds_are_no_test(tmp_path: Path) -> None:
    searched = [complete(SLOW[:5], 0.1), complete(FAST[:5], 0.2)]
    words = said(study(tmp_path / "s", searched, [fresh(SLOW[:5], 0.1), fresh(FAST[:5], 0.2)]))
    assert "fewer than 6 seeds are too few for a test" in words
    assert "not confirmed" in words


def test_seeds_that_the_search_has_used_are_not_fresh(tmp_path: Path) -> None:
    """Seeds 4 to 11, of which the search had 4 to 7: only 8 to 11 count, where there is no difference."""
    second = [value - 100 for value in SLOW[:4]] + SLOW[4:]
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2)]
    folder = study(tmp_path / "s", searched, [fresh(SLOW, 0.1, 4), fresh(second, 0.2, 4)])
    words = said(folder)
    assert "On 4 fresh seeds the best trial (1) does not differ from the first (0)" in words
    assert "Seeds left out of this, since the search had used them: 4, 5, 6, 7." in words
    none = study(tmp_path / "none", searched, [fresh(SLOW, 0.1, 0), fresh(second, 0.2, 0)])
    assert said(none).startswith("Nothing is confirmed: all seeds of the confirmation had been used in the search.")


def test_a_best_trial_that_is_the_first_says_so(tmp_path: Path) -> None:
    searched = [complete(FAST, 0.1), complete(SLOW, 0.2), pruned(100, 0.3)]
    folder = study(tmp_path / "s", searched, [fresh(SLOW, 0.1)])
    told = verdict(swept(folder))
    assert told.sentences[0] == "Nothing beat the first trial: none of the 2 others is better."
    assert told.sentences[1] == f"On fresh seeds: {np.mean(SLOW):.4g} iterations to escape."
    assert told.rows == []
    assert runs_shown(swept(folder)) == {
        folder / "0": "first and best (trial 0)",
        folder / "confirmation" / "0": "first and best on fresh seeds",
    }


def test_a_confirmation_that_is_not_complete_is_no_result(tmp_path: Path) -> None:
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2)]
    for name, second, expected in (
        ("running", open_trial(TrialState.RUNNING, 0.2), "the first: completed; the best: running."),
        ("failed", failed("ValueError: no", 0.2), "the first: completed; the best: failed (ValueError: no)."),
    ):
        words = said(study(tmp_path / name, searched, [fresh(SLOW, 0.1), second]))
        assert words.startswith(f"Nothing is confirmed yet on fresh seeds: {expected}")
        assert "In the search itself the best trial (1) leaves chance" in words
    assert said(study(tmp_path / "a", searched)).startswith("Nothing is confirmed: `hydra.sweeper.confirm`")
    assert "has not begun" in said(study(tmp_path / "b", searched, confirm=["seeds=[9]"]))
    assert "follows when the search is done" in said(study(tmp_path / "c", searched, confirm=["seeds=[9]"], n_trials=9))


def test_a_search_that_went_on_says_whom_its_confirmation_was_of(tmp_path: Path) -> None:
    best = [value - 1 for value in FAST]
    searched = [complete(SLOW, 0.1), complete(FAST, 0.2), complete(best, 0.3)]
    folder = study(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(FAST, 0.2)])
    words = said(folder)
    assert "On 8 fresh seeds trial 1 leaves chance" in words
    assert "Trial 2 has become the best since then, and is not confirmed." in words
    assert runs_shown(swept(folder))[folder / "confirmation" / "1"] == "trial 1 on fresh seeds"


def test_a_first_trial_that_was_pruned_has_no_figure_in_the_search(tmp_path: Path) -> None:
    searched = [pruned(200, 0.1), complete(FAST, 0.2)]
    words = said(study(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(FAST, 0.2)]))
    assert "On 8 fresh seeds the best trial (1) leaves chance" in words
    assert "its first trial is not complete (pruned, its mean is at least 200)" in words


def test_where_higher_is_better_a_lower_value_is_no_find(tmp_path: Path) -> None:
    high = [value + 50 for value in SLOW]
    details: dict[str, Any] = {"objectives": ["score"]}
    trials = [complete(SLOW, 0.1, **details), complete(high, 0.2, **details)]
    folder = study(tmp_path / "s", trials, [fresh(SLOW, 0.1), fresh(high, 0.2)], directions=["maximize"])
    words = said(folder)
    assert "the best trial (1) has a value 50 above that of the first (0); p = 0.0078. The find is confirmed." in words
    assert [row.cells[0] for row in sweep_words.table(swept(folder)).rows] == ["1", "0"]
    back = [fresh(high, 0.1), fresh(SLOW, 0.2)]
    assert "is worse" in said(study(tmp_path / "t", trials, back, directions=["maximize"]))


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("escape_iteration", "leaves chance 50 iterations earlier than"),
        ("solved_iteration", "solves the task 50 iterations earlier than"),
        ("plateau_iterations", "rests 50 iterations less on plateaus than"),
        ("final_loss", "ends with a loss 50 below that of"),
    ],
)
def test_every_objective_has_its_words(tmp_path: Path, objective: str, words: str) -> None:
    second = [value - 50 for value in SLOW]
    searched = [complete(own, lr, objectives=[objective]) for own, lr in ((SLOW, 0.1), (second, 0.2))]
    assert words in said(study(tmp_path / "s", searched, [fresh(SLOW, 0.1), fresh(second, 0.2)]))


def test_values_without_seeds_are_compared_without_a_claim(tmp_path: Path) -> None:
    def plain(value: float, lr: float) -> FrozenTrial:
        return finished(TrialState.COMPLETE, {"state": "completed", "reason": ""}, lr, "gru", [value])

    words = said(study(tmp_path / "s", [plain(3, 0.1), plain(1, 0.2)], [plain(4, 0.1), plain(3.5, 0.2)]))
    assert "Run once more with seeds=[100], the best trial (1) has a value 0.5 below that of the first" in words
    assert "it cannot be said whether by chance" in words


def test_a_trial_that_breaks_a_constraint_is_not_the_best(tmp_path: Path) -> None:
    breaking = complete(FAST, 0.2)
    optuna_name = "constraints"  # where Optuna keeps them is found by setting one
    probe = optuna.create_study()
    asked = probe.ask()
    asked.set_constraint("diverged", 0.5)
    breaking._system_attrs = dict(probe.trials[0].system_attrs)
    assert optuna_name in str(breaking._system_attrs)
    found = swept(study(tmp_path / "s", [complete(SLOW, 0.1), breaking]))
    assert found.view.best is not None
    assert found.view.best.number == 0
    assert [row.cells[0] for row in sweep_words.table(found).rows] == ["0", "1"]


# The table of trials.


def many(folder: Path) -> Sweep:
    rng = np.random.default_rng(0)
    trials = [complete([float(value)] * 2, 0.1) for value in rng.permutation(40) + 100]
    trials += [pruned(int(iterations), 0.2) for iterations in rng.integers(10, 290, 80)]
    trials += [failed("ValueError: no", 0.3)] * 3 + [failed("its value is NaN", 0.3, state="diverged")]
    trials += [open_trial(TrialState.RUNNING, 0.4), open_trial(TrialState.WAITING, 0.5, told="interrupted")]
    return swept(study(folder, [trials[place] for place in rng.permutation(len(trials))], n_trials=130))


def test_counts_tell_every_trial_once(tmp_path: Path) -> None:
    first, cost, *failures = sweep_words.how_many(many(tmp_path / "s"))
    assert first == (
        "124 of 130 trials have ended: 40 completed, 1 diverged, 80 pruned, 3 failed; 1 running, 1 interrupted; "
        "4 not begun."
    )
    assert cost.startswith("Trained: ")
    told = sorted(re.sub(r"[\d, ]+(?=failed|diverged)", " ", sentence) for sentence in failures)
    assert told == ["Trial diverged: its value is NaN.", "Trial failed: ValueError: no."]


def test_the_table_begins_with_the_best_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    found = many(tmp_path / "s")
    table = sweep_words.table(found)
    assert len(table.rows) == 100
    assert table.left_out == "Left out of the table: the last 26 of 126 trials (26 pruned)."
    values = [float(row.cells[table.columns.index("iterations to escape")]) for row in table.rows[:40]]
    assert values == sorted(values)
    assert values == list(range(100, 140))
    states = [row.cells[1] for row in table.rows]
    assert list(dict.fromkeys(states)) == ["completed", "running", "interrupted", "failed", "diverged", "pruned"]
    lengths = [int(row.cells[table.columns.index("iterations")]) for row in table.rows if row.cells[1] == "pruned"]
    assert all(before >= after for before, after in pairwise(lengths))
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}


@given(st.lists(st.tuples(st.sampled_from(list(State)), st.floats(-1e6, 1e6)), max_size=30), st.booleans())
def test_the_order_is_one_of_all_trials_and_values_come_first(drawn: list[tuple[State, float]], lower: bool) -> None:
    from badger_sweeps.sweeps.view import StudyView

    trials = tuple(
        TrialView(
            number, state, {}, (value,) if state == State.COMPLETED else None, (None, None), "", "", "", None, None, {}
        )
        for number, (state, value) in enumerate(drawn)
    )
    direction = "minimize" if lower else "maximize"
    told = StudyView("s", 30, (direction,), trials)
    found = Sweep(Path(), told, optuna.create_study(), (), None, (), ("value",), None, None)
    ordered = sweep_words.ordered(found)
    assert sorted(trial.number for trial in ordered) == list(range(len(drawn)))
    values = [trial.values[0] for trial in ordered if trial.values]
    assert values == sorted(values, reverse=not lower)
    assert all(trial.values for trial in ordered[: len(values)])


def test_names_are_short_where_that_tells_them_apart() -> None:
    assert sweep_words.short_names(["a.lr", "b.size", "c.size"]) == ["lr", "b.size", "c.size"]


# The pictures.


def picture(found: Sweep, name: str) -> search.Picture:
    return next(own for own in search.draw(found) if own.name == name)


def trace(figure: Any, name: str) -> Any:
    return next(own for own in figure.data if own.name == name)


def test_the_history_shows_complete_trials_and_the_best_so_far(tmp_path: Path) -> None:
    found = many(tmp_path / "s")
    (figure,) = picture(found, "history").figures
    points, best = trace(figure, "trial"), trace(figure, "best so far")
    known = {trial.number: trial.values[0] for trial in found.view.complete if trial.values}
    assert dict(zip(points.x, points.y, strict=True)) == known
    so_far = np.minimum.accumulate([known.get(number, np.inf) for number in best.x])
    assert list(best.y) == list(so_far)
    assert "86 trials without a value" in picture(found, "history").caption


def test_slices_show_every_complete_trial_under_its_value_and_mark_the_best(tmp_path: Path) -> None:
    trials = [
        complete([100.0 + place], lr, kind) for place, (lr, kind) in enumerate([(0.1, "gru"), (0.5, "<b>tcnn</b>")])
    ]
    (figure,) = picture(swept(study(tmp_path / "s", [*trials, pruned(10, 0.9)])), "slice").figures
    shown = [(list(own.x), list(own.y)) for own in figure.data]
    assert ([0.1, 0.5], [100.0, 101.0]) in shown
    stars = [(own.x, own.y) for own in figure.data if own.marker.symbol == "star"]
    assert sorted(stars, key=str) == [(("'gru'",), (100.0,)), ((0.1,), (100.0,))]
    axis = next(axis for axis in figure.select_xaxes() if axis.type == "log")
    assert 10 ** axis.range[0] < SPACE["lr"].low
    assert 10 ** axis.range[1] > SPACE["lr"].high


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (range(100, 107), "it needs at least 8 complete trials; found 7"),
        ([100] * 20, "all complete trials have the same value"),
    ],
)
def test_importance_that_cannot_be_computed_says_why(tmp_path: Path, values: list[float], reason: str) -> None:
    trials = [complete([float(value)], 0.01 * (place + 1)) for place, value in enumerate(values)]
    told = picture(swept(study(tmp_path / "s", trials)), "importance")
    assert told.figures == []
    assert told.caption == f"Not computed: {reason}."


def test_importance_finds_the_parameter_that_matters_in_either_direction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rates = np.exp(rng.uniform(np.log(0.001), 0, 60))
    kinds = [str(kind) for kind in rng.choice(SPACE["kind"].choices, 60)]
    bars = []
    for direction, sign in (("minimize", 1), ("maximize", -1)):
        trials = [complete([sign * np.log(lr)], lr, kind) for lr, kind in zip(rates, kinds, strict=True)]
        told = picture(swept(study(tmp_path / direction, trials, directions=[direction])), "importance")
        (bar,) = told.figures[0].data
        bars.append(dict(zip(bar.y, bar.x, strict=True)))
        assert "hint" not in told.caption
    assert bars[0]["lr"] > 0.9  # the value is a function of it alone
    assert bars[0] == pytest.approx(bars[1])


def dominated(own: tuple[float, ...], others: list[tuple[float, ...]]) -> bool:
    return any(all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in others)


@pytest.mark.parametrize("count", [2, 3])
def test_the_front_is_drawn_and_told(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(count)
    values = [tuple(float(value) for value in row) for row in rng.integers(0, 20, (25, count))]
    told = {"state": "completed", "reason": "", "objectives": ["escape_iteration", "final_loss", "other"][:count]}
    trials = [finished(TrialState.COMPLETE, told, 0.1, "gru", own) for own in values]
    trials.append(failed("no", 0.2))
    found = swept(study(tmp_path / "s", trials, directions=["minimize"] * count))
    front = [number for number, own in enumerate(values) if not dominated(own, values)]
    assert sorted(found.front) == front
    (figure,) = picture(found, "front").figures
    on_front = trace(figure, "on the front")
    assert sorted(on_front.text) == sorted(f"trial {number}" for number in front)
    assert len(trace(figure, "trial").text) == len(values) - len(front)
    assert ", ".join(map(str, sorted(found.front)[:3])) in verdict(found).sentences[0]
    assert {row.cells[0] for row in sweep_words.table(found).rows if row.roles[-1:] == ["front"]} == set(
        map(str, front)
    )


def test_more_than_three_objectives_are_told_in_the_table_alone(tmp_path: Path) -> None:
    told = {"state": "completed", "reason": ""}
    trials = [finished(TrialState.COMPLETE, told, 0.1, "gru", [1.0, 2.0, 3.0, value]) for value in (1.0, 2.0)]
    found = swept(study(tmp_path / "s", trials, directions=["minimize"] * 4))
    assert picture(found, "front").figures == []
    assert found.objectives == ("value 1", "value 2", "value 3", "value 4")


# Where studies are found.


def test_a_study_is_found_by_its_journal_alone_and_under_another_folders_name(tmp_path: Path) -> None:
    folder = study(tmp_path / "old", [complete(SLOW, 0.1)])
    moved = folder.rename(tmp_path / "new")
    assert swept(moved).view.name == "old"
    (moved / "multirun.yaml").unlink()
    assert swept(moved).view.name == "old"
    assert [source.folder for source in find(tmp_path)] == [moved]


def test_a_study_in_another_storage_is_found_by_its_address(tmp_path: Path) -> None:
    address = str(tmp_path / "elsewhere.db")
    folder = study(tmp_path / "s", [complete(SLOW, 0.1)], storage=f"sqlite:///{address}")
    assert swept(folder).view.name == "s"
    Path(address).unlink()
    with pytest.raises(UnreadableError, match=r"must be in sqlite:.*found nothing there"):
        swept(folder)
    assert not Path(address).exists()  # looking makes nothing


def test_a_study_that_cannot_be_read_costs_the_report_that_alone(tmp_path: Path) -> None:
    good = study(tmp_path / "good", [complete(SLOW, 0.1)])
    study(tmp_path / "gone", [complete(SLOW, 0.1)])
    (tmp_path / "gone" / "study.journal").unlink()
    study(tmp_path / "torn", [complete(SLOW, 0.1)])
    (tmp_path / "torn" / "study.journal").write_bytes(b"no journal\n")
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "multirun.yaml").write_text("hydra: {sweeper: {_target_: hydra._internal.core_plugins.basic_sweeper}}")
    collection = gather(tmp_path)
    assert [own.folder for own in collection.searches] == [good]
    assert sorted(name for name, _ in collection.left_out) == ["gone", "torn"]
    shown = subprocess.run(
        [sys.executable, "-m", "analysis.report", tmp_path / "gone"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "found nothing there" in shown.stderr


@pytest.mark.slow
def test_a_study_on_a_server_is_read_without_its_password_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.sweeps.servers import PASSWORD, SECRET, Server

    server = Server(tmp_path_factory.mktemp("server"))
    try:
        address = Place.of(server.new_database(), tmp_path).address
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        folder = study(tmp_path / "s", [complete(SLOW, 0.1), complete(FAST, 0.2)], storage=address)
        assert SECRET not in (folder / "multirun.yaml").read_text()
        assert swept(folder).view.counts[State.COMPLETED] == 2
        monkeypatch.delenv("PGPASSWORD")
        with pytest.raises(UnreadableError) as error:
            swept(folder)
        assert SECRET not in str(error.value)
        assert "\n" not in str(error.value)
    finally:
        server.stop()


# Reports.


def made(folder: Path) -> tuple[str, str]:
    """The page and what the terminal shows."""
    command = [sys.executable, "-m", "analysis.report", folder]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    return (folder / "report.html").read_text(), shown.stdout


def test_a_search_that_runs_has_a_report(tmp_path: Path) -> None:
    trials = [open_trial(TrialState.RUNNING, 0.1), open_trial(TrialState.WAITING, 0.2, told="interrupted")]
    page, shown = made(study(tmp_path / "s", trials, n_trials=9, confirm=["seeds=[9]"]))
    assert "0 of 9 trials have ended; 1 running, 1 interrupted; 7 not begun." in shown
    assert "No trial is complete yet." in page
    assert "There is no history before a trial is complete." in page
    assert 'id="results"' not in page


def test_an_empty_study_has_a_report(tmp_path: Path) -> None:
    page, shown = made(study(tmp_path / "s", [], n_trials=9))
    assert "0 of 9 trials have ended; 9 not begun." in shown
    assert "No trial is complete yet." in page


EVIL = "</script><script>document.title = 'broken in'</script><b>bold</b>"


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search whose names and reasons are markup."""
    trials = [
        complete([200.0 - place] * 8, 0.01 * (place + 1), SPACE["kind"].choices[place % 2]) for place in range(12)
    ]
    trials += [failed(EVIL, 0.3), pruned(10, 0.5, reason=EVIL)]
    return study(tmp_path_factory.mktemp("evil") / "<i>s</i>".replace("/", "_"), trials, confirm=["seeds=[9]"])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real search, with another run in its folder."""
    folder = tmp_path_factory.mktemp("real") / "search"
    settings = [
        "seeds=6", "topology.experts=3", "topology.links=1", "architecture.hidden=4", "architecture.message=2",
        "training.inner_steps=3", "training.batch_size=64", "training.iterations=80", "measures=none",
        "training.snapshot_every=null", "tracking=disabled",
    ]  # fmt: skip
    command = [sys.executable, "-m", "badger_sweeps"]
    search_ = [
        "-m", "hydra/sweeper=badger", f"hydra.sweep.dir={folder}", "hydra.sweeper.n_trials=5",
        "hydra.sweeper.warm_start=[{optimizer.lr: 0.0005}]", "optimizer.lr=tag(log,interval(0.0005,0.05))",
        'hydra.sweeper.confirm=["seeds=[10,11,12,13,14,15]"]',
    ]  # fmt: skip
    done = subprocess.run([*command, *search_, *settings], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    beside = [f"hydra.run.dir={folder / 'beside'}", *settings]
    assert subprocess.run([*command, *beside], capture_output=True, check=False).returncode == 0
    return folder


@pytest.fixture
def browser() -> Iterator[Any]:
    """Opens reports in Chromium; any request to a network, script error or word on the console fails the test."""
    wrong: list[str] = []
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=path, args=flags)

        def show(folder: Path, width: int = 1200) -> Page:
            page = chromium.new_page(viewport={"width": width, "height": 900})
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            page.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
            page.goto((folder / "report.html").as_uri())
            page.wait_for_selector("#history .main-svg")
            return page

        yield show
        chromium.close()
    assert wrong == []


def test_a_real_search_is_told_on_the_page_and_on_the_terminal(real: Path, browser: Any) -> None:
    _, shown = made(real)
    found = swept(real)
    page = browser(real)
    flat = " ".join(shown.split())
    for sentence in [*verdict(found).sentences, *sweep_words.how_many(found)]:
        assert sentence in flat.replace("search: ", "")
        assert sentence in page.locator("#search").inner_text()
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    assert page.locator("#trials tbody tr").count() == 5
    best = found.view.best
    assert best is not None
    first_row = page.locator("#trials tbody tr").first
    assert first_row.locator("td").first.inner_text().split() == [str(best.number), "best"]
    assert page.locator("#history .scatterlayer .trace").count() >= 2
    assert page.locator("#slice .main-svg").count() > 0


def test_a_real_search_is_confirmed_by_what_its_confirming_runs_did(real: Path) -> None:
    """The pair's values per seed are those of the runs' own summaries."""
    found = swept(real)
    runs = {run.folder: run for run in gather(real).runs}
    pair = found.pair
    assert pair is not None
    for trial in (pair.first, pair.best):
        outcomes = runs[real / "confirmation" / str(trial.number)].summary.outcomes
        assert sorted(int(seed) for seed in trial.details["per_seed"]) == list(range(10, 16))
        times = {str(own.seed): own.escape_iteration or 80 for own in outcomes}
        assert trial.details["per_seed"] == times


def test_of_a_search_only_some_runs_are_looked_at(real: Path) -> None:
    collection = gather(real)
    found = collection.search
    assert found is not None
    best = found.view.best
    assert best is not None
    labels = {run.label: run.folder.relative_to(real) for run in collection.runs}
    beside = next(label for label, folder in labels.items() if folder == Path("beside"))
    assert labels == {
        "first (trial 0)": Path("0"),
        f"best (trial {best.number})": Path(str(best.number)),
        "first on fresh seeds": Path("confirmation/0"),
        "best on fresh seeds": Path("confirmation/1"),
        beside: Path("beside"),
    }
    assert [run.label for run in collection.runs if run.searched] == ["first (trial 0)", f"best (trial {best.number})"]
    assert collection.left_out == ()
    told = [difference.first for difference in report._differences(collection)]
    assert not any("trial" in name for name in told)  # a difference by which the best was chosen is not tested


def test_a_search_below_the_folder_shows_the_same_runs(real: Path) -> None:
    collection = gather(real.parent)
    assert collection.search is None
    assert len(collection.runs) == 5
    assert sum(run.label.startswith("search: ") for run in collection.runs) == 4


def test_the_same_search_gives_the_same_page(real: Path) -> None:
    first, _ = made(real)
    again, _ = made(real)
    assert first == again


def test_names_and_reasons_are_text_on_the_page(evil: Path, browser: Any) -> None:
    made(evil)
    page = browser(evil)
    assert page.title() == f"Plateaus of {evil.name}"
    assert page.locator("#search b, #trials b, #trials script").count() == 0
    assert EVIL in page.locator("#search").inner_text()
    assert page.locator("#trials td.words").all_inner_texts().count(EVIL) == 2
    assert page.locator("#trials td", has_text="<b>tcnn</b>").count() == 6


def test_a_phone_shows_the_page_without_scrolling_it_sideways(evil: Path, browser: Any) -> None:
    made(evil)
    page = browser(evil, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
