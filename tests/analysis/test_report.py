"""The report of a real multirun, in a real browser, and the numbers in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, sync_playwright

from analysis import connectivity, wording
from analysis.comparison import Difference, differences, holm, row
from analysis.figures import escape, ladder
from analysis.gather import FinishedRun, differing_keys, gather
from badger_sweeps.measures.estimates import Estimate, PairedDifference
from badger_sweeps.measures.ladder import Ladder
from badger_sweeps.measures.outcome import Outcome
from badger_sweeps.runs.summary import Summary
from badger_sweeps.topologies.connectivity import Connectivity
from tests.runs.commands import SMALL


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two configurations that are finished, one that is not, one that is damaged; and their report."""
    folder = tmp_path_factory.mktemp("study")
    multirun = [
        sys.executable,
        "-m",
        "badger_sweeps",
        "-m",
        "architecture=gru,exponential",
        f"hydra.sweep.dir={folder}",
    ]
    settings = [*SMALL, "training.iterations=240", "training.batch_size=64", "tracking=disabled", "seeds=5"]
    done = subprocess.run([*multirun, *settings], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first = next(path for path in folder.iterdir() if path.name.startswith("gru"))
    unfinished, damaged = folder / "unfinished", folder / "<b>damaged</b>"
    for copy in (unfinished, damaged):
        shutil.copytree(first, copy)
    (unfinished / "summary.json").unlink()
    (damaged / "summary.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def printed(study: Path) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "analysis.report", study], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.fixture
def page(study: Path, printed: str) -> Iterator[Page]:
    """The report in Chromium; any request to a network and any script error fails the test."""
    wrong: list[str] = []
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
        shown = browser.new_page()
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
        shown.goto((study / "report.html").as_uri())
        shown.wait_for_selector("figure.ladder .main-svg")
        yield shown
        browser.close()
    assert wrong == []


def test_the_page_shows_table_curves_plateaus_and_rungs(page: Page, study: Path) -> None:
    rows = page.locator("#results tbody tr")
    assert [rows.nth(i).locator("td").first.inner_text() for i in range(2)] == ["gru", "exponential"]
    assert re.fullmatch(r"\d/5", rows.first.locator("td").nth(1).inner_text())
    runs = gather(study).runs
    plateaus = [sum(len(outcome.rests) for outcome in run.summary.outcomes) for run in runs]
    for number, run in enumerate(runs):
        panel = page.locator("figure.ladder").nth(number)
        shapes = panel.locator(".shapelayer path")
        assert shapes.count() == plateaus[number] + 5 * len(run.summary.ladder.rungs)
        assert panel.locator(".scatterlayer .trace.scatter").count() == 5 + plateaus[number]
    assert sum(plateaus) > 0
    assert page.locator("#escape .scatterlayer .trace.scatter").count() == 6
    assert page.locator("#overview .scatterlayer .trace.scatter").count() == 10


def test_the_page_reacts(page: Page) -> None:
    """A click on a configuration in the legend hides its curve."""
    before = page.locator("#escape .scatterlayer .trace.scatter").count()
    page.locator("#escape .legendtoggle").first.click()
    page.wait_for_function(f"document.querySelectorAll('#escape .scatterlayer .trace.scatter').length < {before}")


def test_the_page_tells_what_differs_and_what_is_missing(page: Page) -> None:
    keys = page.locator("#configurations tbody tr td:first-child")
    assert keys.all_inner_texts() == ["architecture", "architecture.a", "architecture.b"]
    left_out = page.locator("#left-out li")
    assert left_out.count() == 2
    assert "unfinished: not finished" in left_out.all_inner_texts()[1]
    assert "<b>damaged</b>: damaged" in left_out.all_inner_texts()[0]  # escaped, not bold


def test_the_terminal_says_the_same(printed: str, study: Path) -> None:
    runs = gather(study).runs
    for run in runs:
        for cell in wording.cells(row(run))[:3]:
            assert cell in printed
    assert "left out: unfinished: not finished" in printed
    assert "exponential leaves chance" in printed
    assert printed.rstrip().splitlines()[-1].endswith("report.html")
    assert max(map(len, printed.splitlines()[:-1])) <= 80


def test_nothing_to_report_is_one_line(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "analysis.report", tmp_path], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 2
    assert shown.stderr == f"analysis.report: `{tmp_path}` must have finished runs below it; found none.\n"


def outcome(seed: int, escaped: int | None, final_loss: float | None = 0.5) -> Outcome:
    return Outcome(seed, 100, escaped, None, (), final_loss, diverged=final_loss is None)


def finished(label: str, outcomes: list[Outcome], budget: int = 100) -> FinishedRun:
    summary = Summary(label, budget, Ladder(4, 5), tuple(outcomes), "escape_iteration", Estimate(0.0, None, None), {})
    return FinishedRun(Path(label), label, summary, {"lr": 1, "same": 2, "label": label}, pd.DataFrame())


def test_a_row_counts_what_it_should() -> None:
    run = finished("gru", [outcome(0, 10), outcome(1, 20), outcome(2, None), outcome(3, None, final_loss=None)])
    told = row(run)
    assert (told.escaped, told.seeds, told.median_escape, told.diverged) == (2, 4, None, 1)
    assert told.mean_escape.value == (10 + 20 + 100 + 100) / 4
    assert told.final_loss == (0.5, None, None)
    assert wording.cells(told)[:4] == ["gru", "2/4, 1 diverged", "> 100", "58"]
    assert wording.cells(told)[-1] == "50% [15%, 85%]"  # Wilson: .150, .850


def test_the_table_of_graphs_gives_median_range_and_how_many_have_a_value() -> None:
    run = finished("gru", [outcome(seed, 10) for seed in range(3)])
    graphs = {
        0: Connectivity(4, 8, True, 0.5, 0.25, None),
        1: Connectivity(4, 8, False, 0.0, -0.1, None),
        2: Connectivity(4, 8, True, 1.5, 0.75, 4.0),
    }
    shown = connectivity.cells(replace(run, summary=replace(run.summary, graphs=graphs)))
    assert shown == ["gru", "4", "8", "2/3", "0.5 (0 to 1.5)", "0.25 (-0.1 to 0.75)", "4, 1 of 3 seeds"]
    alone = dict.fromkeys(range(3), Connectivity(1, 0, True, None, None, None))
    shown = connectivity.cells(replace(run, summary=replace(run.summary, graphs=alone)))
    assert shown == ["gru", "1", "0", "3/3", "-", "-", "-"]


def test_a_budget_too_short_for_the_rule_is_no_result() -> None:
    """Three blocks of 5 iterations are needed; with fewer, "not escaped" would be made up."""
    short = finished("short", [outcome(seed, None) for seed in range(8)], budget=14)
    assert wording.cells(row(short)) == ["short", "budget too short", "-", "-", "0.5", "-", "-", "-"]
    assert differences([short, short]) == []


def test_a_run_shorter_than_a_block_is_drawn(study: Path) -> None:
    run = gather(study).runs[0]
    long_block = replace(run, summary=replace(run.summary, ladder=Ladder(4, 1000)))
    figure = ladder.draw(ladder.compute(long_block))
    assert figure.layout.xaxis.range == (0, 240)
    assert ladder.draw_all([ladder.compute(long_block)])


def test_one_bad_folder_does_not_cost_the_others(study: Path, tmp_path: Path) -> None:
    spoils = {
        "no_history": lambda run: shutil.rmtree(run / "history.parquet"),
        "bad_history": lambda run: next((run / "history.parquet").iterdir()).write_bytes(b"PAR1"),
        "no_provenance": lambda run: (run / "provenance.json").unlink(),
        "bad_provenance": lambda run: (run / "provenance.json").write_text("[]"),
        "empty_summary": lambda run: (run / "summary.json").write_text(""),
    }
    shutil.copytree(gather(study).runs[0].folder, tmp_path / "good")
    for name, spoil in spoils.items():
        shutil.copytree(tmp_path / "good", tmp_path / name)
        spoil(tmp_path / name)
    collection = gather(tmp_path)
    assert [run.folder.name for run in collection.runs] == ["good"]
    assert sorted(name for name, _ in collection.left_out) == sorted(spoils)


def test_differences_are_paired_by_seed() -> None:
    first = finished("a", [outcome(seed, 10 * seed) for seed in range(8)])
    second = finished("b", [outcome(seed, 10 * seed + 5) for seed in reversed(range(2, 10))], budget=60)
    # nobody solved it; budgets differ, so that times on plateaus cannot be compared
    (escape_difference,) = differences([first, second])
    assert escape_difference.quantity == "escape_iteration"
    assert escape_difference.paired.pairs == 6
    assert escape_difference.budget == 60
    # seeds 2..5: 5 later each; 60 against 60 for seeds 6 and 7, which are censored in both
    assert escape_difference.paired.difference.value == pytest.approx((5 * 4 + 0 + 0) / 6)
    assert differences([first, finished("c", [outcome(77, 1)])]) == []


def test_times_on_plateaus_are_compared_under_one_budget() -> None:
    first = finished("a", [outcome(seed, 10) for seed in range(6)])
    second = finished("b", [outcome(seed, None) for seed in range(6)])
    assert [difference.quantity for difference in differences([first, second])] == [
        "escape_iteration",
        "plateau_iterations",
    ]


def test_holm() -> None:
    """Worked by hand: 0.01*4, then 0.02*3, 0.03*2 raised to 0.06, 0.2*1."""
    assert holm([0.03, None, 0.01, 0.2, 0.02]) == pytest.approx([0.06, None, 0.04, 0.2, 0.06], nan_ok=True)
    assert holm([]) == []
    assert holm([None]) == [None]


def test_a_difference_in_words() -> None:
    sure = Difference("escape_iteration", "gru", "tcnn", 900, PairedDifference(Estimate(-12.3, -30, 2), 0.1, 8), 0.2)
    assert wording.sentence(sure) == (
        "tcnn leaves chance 12 iterations earlier than gru [-30, +2], in the mean over the 8 seeds of both "
        "within 900 iterations; p = 0.2."
    )
    too_few = PairedDifference(Estimate(12.3, None, None), None, 3)
    unsure = wording.sentence(Difference("plateau_iterations", "gru", "tcnn", 900, too_few, None))
    assert unsure.startswith("tcnn rests on plateaus 12 iterations longer than gru, in the mean")
    assert unsure.endswith("too few for a test.")


def test_keys_that_differ() -> None:
    assert differing_keys((finished("a", []), finished("b", []))) == ["label"]


def test_what_the_figures_show(study: Path) -> None:
    run = gather(study).runs[0]
    info = ladder.compute(run)
    loss = run.history.loc[run.history["seed"] == 0, "loss"].to_numpy(dtype=float)
    block = run.summary.ladder.block
    assert info.iteration[:2].tolist() == [block / 2, 3 * block / 2]
    assert info.loss[0][1] == pytest.approx(loss[block : 2 * block].mean())
    (curve, *_) = escape.compute([run])
    escaped = sum(outcome.escape_iteration is not None for outcome in run.summary.outcomes)
    assert curve.curve.surviving[-1] == pytest.approx(1 - escaped / 5)


def test_the_report_is_one_file_that_needs_no_other(study: Path, printed: str) -> None:
    text = (study / "report.html").read_text()
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="', text)
    summary = json.loads((gather(study).runs[0].folder / "summary.json").read_text())
    assert f"{summary['seeds'][0]['seed']}" in text
