"""The table of the order of frequencies, on a run with made-up coherent ratios."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from badger_sweeps.reporting.formatting import frequencies
from badger_sweeps.reporting.reading.collection import Run, gather
from tests.runs.commands import run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("frequencies")
    done = run(folder / "run", "task=frequency", "task.dims=11", "training.iterations=40", "measures.every=10")
    assert done.returncode == 0, done.stderr
    return gather(folder).runs[0]


def solving_at(finished: Run, times: list[list[int]], budget: int = 200) -> Run:
    """Seed s solves frequency k at times[s][k - 1]; measured every 10 iterations."""
    rows = [
        {"seed": seed, "iteration": iteration, "loss": 1.0}
        | {f"frequency/coherent/{k:02d}": float(iteration >= time) for k, time in enumerate(times[seed], start=1)}
        for iteration in range(0, budget, 10)
        for seed in range(3)
    ]
    return replace(finished, history=pd.DataFrame(rows), summary=replace(finished.summary, budget=budget))


def test_low_frequencies_first(finished: Run) -> None:
    """Three seeds in perfect order: L = 165, expected 135, p = 5.8e-7 by the normal approximation, here exact."""
    ordered = solving_at(finished, [[10, 30, 50, 70, 90], [20, 30, 40, 50, 60], [10, 20, 40, 80, 160]])
    times = frequencies.solved(ordered)
    assert times is not None
    assert times.iterations.tolist() == [[10, 30, 50, 70, 90], [20, 30, 40, 50, 60], [10, 20, 40, 80, 160]]
    row = dict(zip(frequencies.COLUMNS, frequencies.cells(ordered) or [], strict=True))
    assert row["solved by seeds"] == "5, 5, 5 of 5"
    assert (row["Spearman"], row["Kendall"]) == ("1.00", "1.00")
    assert row["Page's L (expected)"] == "165 (135)"
    assert float(row["p low first"]) < 1e-5
    assert float(row["p high first"]) > 0.99
    assert row["simultaneity"] == "1.60"  # of 80/50, 40/40 and 150/40


def test_the_median_of_an_even_number_of_seeds_lies_between_the_middle_two(finished: Run) -> None:
    """Spearman's correlation is 1 for one seed and -1 for the other."""
    opposed = solving_at(finished, [[10, 30, 50, 70, 90], [90, 70, 50, 30, 10], [999] * 5])
    with pytest.warns(RuntimeWarning):
        row = dict(zip(frequencies.COLUMNS, frequencies.cells(opposed) or [], strict=True))
    assert row["Spearman"] == "0.00, 2 of 3 seeds"


def test_nothing_solved_is_no_order(finished: Run) -> None:
    with pytest.warns(RuntimeWarning):
        row = frequencies.cells(solving_at(finished, [[999] * 5] * 3))
    assert row is not None
    assert row[1:] == ["0, 0, 0 of 5", "-", "-", "-", "-", "-", "-"]


def test_a_real_run_has_a_row_and_other_tasks_have_none(finished: Run, tmp_path: Path) -> None:
    with pytest.warns(RuntimeWarning):
        row = frequencies.cells(finished)
    assert row is not None
    assert row[1].endswith(" of 5")
    assert frequencies.cells(replace(finished, history=finished.history[["seed", "iteration", "loss"]])) is None
