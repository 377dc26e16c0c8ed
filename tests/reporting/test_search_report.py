"""Reports of searches, made by hand and real, in a real browser."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState
from rich.console import Console

from badger_sweeps.commands import report
from badger_sweeps.commands.main import main
from badger_sweeps.reporting.formatting import search_tables
from badger_sweeps.reporting.formatting.confirmation import confirmation_report
from badger_sweeps.reporting.inference.comparison import compare_runs, row
from badger_sweeps.reporting.page import page
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.reporting.reading.search_storage import MULTIRUN
from tests import warm
from tests.browser import Show
from tests.reporting.recorded_searches import SPACE, complete, failed, open_trial, pruned, read_search, record_search

pytestmark = pytest.mark.xdist_group("search_report")  # one worker: its searches are made once

# Reports.


def made(folder: Path) -> tuple[str, str]:
    """The page and what the terminal shows."""
    collection, console = gather(folder), Console(width=80, file=io.StringIO())
    assert collection.search is not None
    rows, differences = [row(run) for run in collection.runs], compare_runs(collection)
    report.print_search(collection.search, console)
    report.print_table(collection, rows, differences, console)
    page.build(collection, rows, differences, folder / page.REPORT_FILE)
    assert isinstance(console.file, io.StringIO)
    return (folder / page.REPORT_FILE).read_text(), console.file.getvalue()


def test_a_search_that_runs_has_a_report(tmp_path: Path) -> None:
    trials = [open_trial(TrialState.RUNNING, 0.1), open_trial(TrialState.WAITING, 0.2, recorded_state="interrupted")]
    text, shown = made(record_search(tmp_path / "s", trials, n_trials=9, confirm=["seeds=[9]"]))
    assert "0 of 9 trials have ended; 1 running, 1 interrupted; 7 not begun." in shown
    assert "No trial is complete yet." in text
    assert "There is no history before a trial is complete." in text
    assert 'id="results"' not in text


def test_an_empty_search_has_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = record_search(tmp_path / "s", [], n_trials=9)
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", "report", str(folder)])
    main()
    assert "0 of 9 trials have ended; 9 not begun." in capsys.readouterr().out
    assert "No trial is complete yet." in (folder / "report.html").read_text()


EVIL = "</script><script>document.title = 'broken in'</script><b>bold</b>"


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search whose names and reasons are markup."""
    trials = [
        complete([200.0 - place] * 8, 0.01 * (place + 1), SPACE["kind"].choices[place % 2]) for place in range(12)
    ]
    trials += [failed(EVIL, 0.3), pruned(10, 0.5, reason=EVIL)]
    return record_search(tmp_path_factory.mktemp("evil") / "<i>s</i>".replace("/", "_"), trials, confirm=["seeds=[9]"])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real search, with another run in its folder."""
    folder = tmp_path_factory.mktemp("real") / "search"
    settings = [
        "seeds=6", "topology.experts=3", "topology.links=1", "architecture.hidden=4", "architecture.message=2",
        "training.inner_steps=3", "training.batch_size=64", "training.iterations=120", "measures=none",
        "training.snapshot_every=null", "tracking=disabled",
    ]  # fmt: skip
    command = [sys.executable, "-m", "badger_sweeps"]
    search_ = [
        "-m", "hydra/sweeper=badger", f"hydra.sweep.dir={folder}", "hydra.sweeper.n_trials=5",
        "hydra.sweeper.warm_start=[{optimizer.lr: 0.0005}]", "optimizer.lr=tag(log,interval(0.0005,0.05))",
        'hydra.sweeper.confirm=["seeds=[10,11,12,13,14,15]"]',
    ]  # fmt: skip
    done = warm.run([*command, *search_, *settings])
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "0", folder / "beside")
    shutil.copytree(folder / "confirmation" / "0", folder / "confirmation" / "2")  # of what was the best once
    return folder


def test_a_real_search_is_told_on_the_page_and_on_the_terminal(real: Path, browser: Show) -> None:
    command = [sys.executable, "-m", "badger_sweeps", "report", str(real)]
    done = warm.run(command)
    assert done.returncode == 0, done.stderr
    shown, found, opened = done.stdout, read_search(real), browser(real)
    flat = " ".join(shown.split())
    for sentence in [*confirmation_report(found).sentences, *search_tables.status_sentences(found)]:
        assert sentence in flat.replace("search: ", "")
        assert sentence in opened.locator("#search").inner_text()
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    assert opened.locator("#trials tbody tr").count() == 5
    best = found.state.best
    assert best is not None
    first_row = opened.locator("#trials tbody tr").first
    assert first_row.locator("td").first.inner_text().split() == [str(best.number), "best"]
    assert opened.locator("#history .scatterlayer .trace").count() >= 2
    assert opened.locator("#slice .main-svg").count() > 0


def test_a_real_search_is_confirmed_by_what_its_confirming_runs_did(real: Path) -> None:
    """The pair's values per seed are those of the runs' own summaries."""
    found = read_search(real)
    runs = {run.folder: run for run in gather(real).runs}
    pair = found.pair
    assert pair is not None
    for trial in (pair.first, pair.best):
        outcomes = runs[real / "confirmation" / str(trial.number)].summary.outcomes
        assert sorted(int(seed) for seed in trial.details["per_seed"]) == list(range(10, 16))
        times = {str(own.seed): own.escape_iteration or 120 for own in outcomes}
        assert trial.details["per_seed"] == times


def test_what_a_real_confirmation_was_given_is_read_from_its_search(real: Path, tmp_path: Path) -> None:
    """Also after a start whose configuration does not say it."""
    later = shutil.copytree(real, tmp_path / "later")
    config = OmegaConf.load(later / MULTIRUN)
    config.hydra.sweeper.confirm = None
    OmegaConf.save(config, later / MULTIRUN)
    assert [read_search(folder).fresh_overrides for folder in (real, later)] == [("seeds=[10,11,12,13,14,15]",)] * 2


def test_of_a_search_only_some_runs_are_looked_at(real: Path) -> None:
    collection = gather(real)
    found = collection.search
    assert found is not None
    best = found.state.best
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
    first_runs = [difference.first for difference in compare_runs(collection)]
    assert not any("trial" in name for name in first_runs)  # a difference by which the best was chosen is not tested


def test_a_search_below_the_folder_shows_the_same_runs(real: Path) -> None:
    collection = gather(real.parent)
    assert collection.search is None
    assert len(collection.runs) == 5
    assert sum(run.label.startswith("search: ") for run in collection.runs) == 4


def test_the_same_search_gives_the_same_page(real: Path) -> None:
    assert made(real) == made(real)


def test_names_and_reasons_are_text_on_the_page(evil: Path, browser: Show) -> None:
    made(evil)
    opened = browser(evil)
    assert opened.title() == f"Plateaus of {evil.name}"
    assert opened.locator("#search b, #trials b, #trials script").count() == 0
    assert EVIL in opened.locator("#search").inner_text()
    assert opened.locator("#trials td.words").all_inner_texts().count(EVIL) == 2
    assert opened.locator("#trials td", has_text="<b>tcnn</b>").count() == 6


def test_a_phone_shows_the_page_without_scrolling_it_sideways(evil: Path, browser: Show) -> None:
    made(evil)
    opened = browser(evil, width=390)
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
