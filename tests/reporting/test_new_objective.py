"""An objective that is not ours: one entry in the table, and it is trained, summarised, compared and reported."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from badger_sweeps.commands.summary_line import summary_line
from badger_sweeps.measures.objectives import OBJECTIVES, FinalLoss, Objective, TimeBelow
from badger_sweeps.measures.outcome_of_history import outcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.reporting.formatting import results
from badger_sweeps.reporting.inference.comparison import Difference, differences, paired_values, row
from badger_sweeps.reporting.page.page import build
from badger_sweeps.reporting.reading.collection import Collection, Run
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.run import run
from badger_sweeps.runs.summary import SUMMARY_FILE, Summary, read_summary
from badger_sweeps.search.trial_training import run_trial
from badger_sweeps.statistics.estimates import Estimate, PairedDifference
from tests.search.planned import begin, make_search, plan

CONFIG = Path(__file__).parents[2] / "conf" / "config.yaml"
HALF = TimeBelow(
    name="half_iteration",
    title="Iterations to half of the loss",
    heading="iterations to half",
    label="half",
    answer_heading="Half of the loss",
    unit="iterations",
    format=".0f",
    if_lower="halves its loss {} iterations earlier than",
    if_higher="halves its loss {} iterations later than",
    better="halve the loss sooner",
    threshold=lambda staircase: 0.5 + staircase.tolerance,
)
STAIRCASE = Staircase(parts=2, block=5)


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Objective:
    monkeypatch.setitem(OBJECTIVES, HALF.name, HALF)
    return HALF


def made(label: str, halved_at: list[int], budget: int) -> Run:
    """A run whose seeds halve their loss at these iterations and never solve the task."""
    outcomes = []
    for seed, iteration in enumerate(halved_at):
        loss = np.where(np.arange(budget) < iteration, 1.0, 0.5).astype(np.float32)
        columns = {"loss": loss, "loss_dim/0": loss, "loss_dim/1": loss, "diverged": np.zeros(budget)}
        outcomes.append(outcome(seed, columns, STAIRCASE))
    summary = Summary(label, budget, STAIRCASE, tuple(outcomes), HALF.name, Estimate(0.0, None, None), {})
    return Run(Path(label), label, summary, {}, pd.DataFrame())


def test_it_is_trained_summarised_searched_and_reported(half: Objective, tmp_path: Path) -> None:
    runs = []
    for name, lr in (("first", 0.003), ("second", 0.01)):
        planned = plan(tmp_path / name, half.name)
        planned = replace(
            planned, experiment=replace(planned.experiment, optimizer=replace(planned.experiment.optimizer, lr=lr))
        )
        summary = run(planned, Console(quiet=True))
        stored = json.loads((planned.folder / SUMMARY_FILE).read_text())
        block = summary.staircase.block
        for seed in stored["seeds"]:
            losses = read_history(planned.folder).query(f"seed == {seed['seed']}")["loss"].to_numpy(dtype=float)
            means = losses[: len(losses) // block * block].reshape(-1, block).mean(axis=1)
            starts = [at for at in range(len(means) - 2) if (means[at : at + 3] < 0.5 + 0.125).all()]
            assert seed[half.name] == (starts[0] * block if starts else None)
        assert stored["objective"]["name"] == half.name
        again = read_summary(planned.folder)
        assert again == summary
        assert f"iterations to half {summary.value:.4g}" in summary_line(again, planned.folder)
        runs.append(Run(planned.folder, name, again, {}, read_history(planned.folder)))
    trial = begin(make_search(tmp_path / "search"))
    (value,) = run_trial(plan(tmp_path / "0", half.name), trial)
    assert value == trial.quantities[half.name] == runs[0].summary.value.value
    compared = differences(runs)
    assert half.name in {difference.objective for difference in compared}
    page = tmp_path / "page.html"
    build(Collection(tmp_path, tuple(runs), ()), [row(each) for each in runs], compared, page)
    text = page.read_text()
    assert "<h3>Iterations to half of the loss</h3>" in text
    assert "Half of the loss" in text
    assert "(iterations to half)" in text


def test_it_is_cut_at_the_shorter_budget(half: Objective) -> None:
    """Blocks have 5 iterations: a time of 50 is known after 65 iterations, one of 60 after 75."""
    long = made("long", [50, 60, 90, 40, 50, 50], budget=200)
    short = made("short", [40, 40, 40, 40, 40, 40], budget=70)
    found = {difference.objective: difference for difference in differences([short, long])}
    _, (ours, theirs) = paired_values(half.name, short, long, 70)
    assert ours.tolist() == [40] * 6
    assert theirs.tolist() == [50, 70, 70, 40, 50, 50]
    assert found[half.name].budget == 70
    assert found[half.name].paired.difference.value == (10 + 30 + 30 + 0 + 10 + 10) / 6
    assert results.sentence(found[half.name]).startswith("long halves its loss 15 iterations later than short")
    (answer,) = [answer for answer in results.answers([found[half.name]]) if answer.heading == half.answer_heading]
    assert answer.words == "Nothing is better than short, the first."


def test_one_that_needs_the_whole_run_is_not_compared_at_unequal_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what an objective is unless it says how it is cut."""

    class Slowest(FinalLoss):
        """A third party's quantity, in iterations."""

    monkeypatch.setitem(OBJECTIVES, "slowest", replace(_as(Slowest), name="slowest", unit="iterations"))
    long, short = made("long", [50] * 6, budget=200), made("short", [40] * 6, budget=70)
    assert "slowest" not in {difference.objective for difference in differences([short, long])}
    assert "slowest" in {difference.objective for difference in differences([short, made("b", [50] * 6, budget=70)])}
    with pytest.raises(NotImplementedError, match="`slowest` is not known for the beginning of a run"):
        paired_values("slowest", short, long, 70)


def _as(kind: type[FinalLoss]) -> FinalLoss:
    return kind(**vars(OBJECTIVES["final_loss"]))


def test_a_summary_written_before_it_is_read_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(tmp_path / "old")
    old = run(planned, Console(quiet=True))
    monkeypatch.setitem(OBJECTIVES, HALF.name, HALF)
    again = read_summary(planned.folder)
    assert again == old
    runs = [Run(planned.folder, label, again, {}, read_history(planned.folder)) for label in ("a", "b")]
    assert {found.objective for found in differences(runs, list(OBJECTIVES))}
    assert HALF.name not in {found.objective for found in differences(runs, list(OBJECTIVES))}


def test_higher_may_be_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an objective whose higher values are better, leads, counts of seeds and evidence are turned round."""
    monkeypatch.setitem(OBJECTIVES, HALF.name, replace(HALF, direction="maximize"))
    paired = PairedDifference(Estimate(12.0, 8.0, 14.0), 0.01, 8, lower=1, higher=6)
    found = Difference(HALF.name, "a", "b", 100, paired, 0.01)
    assert results.difference_cells(found)[3] == ("6/8 seeds", 6 / 8)
    (answer,) = results.answers([found])
    assert answer.established
    assert answer.words.startswith("b halves its loss 12 iterations later than a")
    worse = replace(found, paired=paired._replace(difference=Estimate(-12.0, -14.0, -8.0)))
    assert results.answers([worse])[0].words == "Nothing is better than a, the first."


def test_the_comment_of_the_key_lists_all_objectives() -> None:
    (line,) = [line for line in CONFIG.read_text().splitlines() if line.startswith("objective: ")]
    listed = re.search(r"# ([\w, ]+);", line)
    assert listed is not None
    assert listed[1].split(", ") == list(OBJECTIVES)
