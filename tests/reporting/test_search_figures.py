"""What the pictures of a search show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from badger_sweeps.reporting.formatting import search_tables
from badger_sweeps.reporting.formatting.confirmation import confirmation_report
from badger_sweeps.reporting.page.panels import search
from badger_sweeps.reporting.reading.search import RecordedSearch
from tests.reporting.recorded_searches import SPACE, complete, failed, finished, pruned, read_search, record_search


def many(folder: Path) -> RecordedSearch:
    rng = np.random.default_rng(0)
    trials = [complete([float(value)] * 2, 0.1) for value in rng.permutation(40) + 100]
    trials += [pruned(int(iterations), 0.2) for iterations in rng.integers(10, 290, 80)]
    return read_search(record_search(folder, [trials[place] for place in rng.permutation(len(trials))]))


# The pictures.


def picture(found: RecordedSearch, name: str) -> search.Picture:
    return next(picture for picture in search.draw(found) if picture.name == name)


def trace(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def test_the_history_shows_complete_trials_and_the_best_so_far(tmp_path: Path) -> None:
    found = many(tmp_path / "s")
    (figure,) = picture(found, "history").figures
    points, best = trace(figure, "trial"), trace(figure, "best so far")
    known = {trial.number: trial.values[0] for trial in found.state.complete if trial.values}
    assert dict(zip(points.x, points.y, strict=True)) == known
    so_far = np.minimum.accumulate([known.get(number, np.inf) for number in best.x])
    assert list(best.y) == list(so_far)
    assert "80 trials without a value" in picture(found, "history").caption


def test_parallel_coordinates_hold_every_complete_trial_and_bring_the_best_tenth_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kinds = rng.choice(list(SPACE["kind"].choices), 30)
    trials = [complete([float(value)], lr, str(kind)) for value, lr, kind in zip(
        rng.permutation(30) + 100, rng.uniform(0.01, 0.9, 30), kinds, strict=True)]  # fmt: skip
    shown = picture(read_search(record_search(tmp_path / "s", [*trials, pruned(10, 0.9)])), "parallel")
    (figure,) = shown.figures
    assert len(figure.data) == 30
    assert [line.line.color == search.BEST for line in figure.data] == [False] * 27 + [True] * 3
    lowest = [float(line.y[0]) for line in figure.data]
    assert lowest == sorted(lowest, reverse=True)  # the first axis is the objective, lower being better
    assert list(figure.layout.xaxis.ticktext) == ["iterations to escape", "kind", "lr"]
    assert "&lt;b&gt;tcnn&lt;/b&gt;" in {mark.text for mark in figure.layout.annotations}
    assert "Orange: the best tenth of 30" in shown.caption
    alone = picture(read_search(record_search(tmp_path / "t", trials[:1])), "parallel")
    assert alone.figures == []


def test_slices_show_every_complete_trial_under_its_value_and_mark_the_best(tmp_path: Path) -> None:
    trials = [
        complete([100.0 + place], lr, kind) for place, (lr, kind) in enumerate([(0.1, "gru"), (0.5, "<b>tcnn</b>")])
    ]
    (figure,) = picture(read_search(record_search(tmp_path / "s", [*trials, pruned(10, 0.9)])), "slice").figures
    shown = [(list(trace.x), list(trace.y)) for trace in figure.data]
    assert ([0.1, 0.5], [100.0, 101.0]) in shown
    stars = [(trace.x, trace.y) for trace in figure.data if trace.marker.symbol == "star"]
    assert sorted(stars, key=str) == [(("'gru'",), (100.0,)), ((0.1,), (100.0,))]
    axis = next(axis for axis in figure.select_xaxes() if axis.type == "log")
    assert 10 ** axis.range[0] < SPACE["lr"].low
    assert 10 ** axis.range[1] > SPACE["lr"].high
    assert [other.ticktext for other in figure.select_xaxes() if other is not axis] == [SPACE["kind"].choices]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (range(100, 107), "it needs at least 8 complete trials; found 7"),
        ([100] * 20, "all complete trials have the same value"),
    ],
)
def test_importance_that_cannot_be_computed_says_why(tmp_path: Path, values: list[float], reason: str) -> None:
    trials = [complete([float(value)], 0.01 * (place + 1)) for place, value in enumerate(values)]
    importance = picture(read_search(record_search(tmp_path / "s", trials)), "importance")
    assert importance.figures == []
    assert importance.caption == f"Not computed: {reason}."


def test_importance_finds_the_parameter_that_matters_in_either_direction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rates = np.exp(rng.uniform(np.log(0.001), 0, 60))
    kinds = [str(kind) for kind in rng.choice(SPACE["kind"].choices, 60)]
    bars = []
    for direction, sign in (("minimize", 1), ("maximize", -1)):
        trials = [complete([sign * np.log(lr)], lr, kind) for lr, kind in zip(rates, kinds, strict=True)]
        importance = picture(
            read_search(record_search(tmp_path / direction, trials, directions=[direction])), "importance"
        )
        (bar,) = importance.figures[0].data
        bars.append(dict(zip(bar.y, bar.x, strict=True)))
        assert "hint" not in importance.caption
    assert bars[0]["lr"] > 0.9  # the value is a function of it alone
    assert bars[0] == pytest.approx(bars[1])


def dominated(own: tuple[float, ...], others: list[tuple[float, ...]]) -> bool:
    return any(all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in others)


@pytest.mark.parametrize("count", [2, 3])
def test_the_front_is_drawn_and_told(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(count)
    values = [tuple(float(value) for value in row) for row in rng.integers(0, 20, (25, count))]
    outcome = {"state": "completed", "reason": "", "objectives": ["escape_iteration", "final_loss", "other"][:count]}
    trials = [finished(TrialState.COMPLETE, outcome, 0.1, "gru", own) for own in values]
    trials.append(failed("no", 0.2))
    found = read_search(record_search(tmp_path / "s", trials, directions=["minimize"] * count))
    front = [number for number, own in enumerate(values) if not dominated(own, values)]
    assert sorted(found.front) == front
    (figure,) = picture(found, "front").figures
    on_front = trace(figure, "on the front")
    assert sorted(on_front.text) == sorted(f"trial {number}" for number in front)
    assert len(trace(figure, "trial").text) == len(values) - len(front)
    assert ", ".join(map(str, sorted(found.front)[:3])) in confirmation_report(found).sentences[0]
    assert {row.cells[0] for row in search_tables.table(found).rows if row.roles[-1:] == ["front"]} == set(
        map(str, front)
    )


def test_more_than_three_objectives_are_told_in_the_table_alone(tmp_path: Path) -> None:
    outcome = {"state": "completed", "reason": ""}
    trials = [finished(TrialState.COMPLETE, outcome, 0.1, "gru", [1.0, 2.0, 3.0, value]) for value in (1.0, 2.0)]
    found = read_search(record_search(tmp_path / "s", trials, directions=["minimize"] * 4))
    assert picture(found, "front").figures == []
    assert found.objectives == ("value 1", "value 2", "value 3", "value 4")
