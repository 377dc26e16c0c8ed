"""Standard studies from end to end: runs, measures, verdict, figure, page, and the document."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from time import monotonic

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.claims import BY_IMPORTANCE, shorten_plateaus
from badger_sweeps.commands.study import FIGURE
from badger_sweeps.configuration import files
from badger_sweeps.reporting.formatting.results import FINDING_COLUMNS
from badger_sweeps.reporting.studies.catalogue import entries
from badger_sweeps.reporting.studies.claims import claim_of
from badger_sweeps.runs.snapshot_measures import measured_with, read_measures, write_measures
from tests import warm
from tests.analysis.planted import CASES, judge
from tests.browser import Show
from tests.choices import UNMEASURED
from tests.reporting import recorded_searches
from tests.runs.commands import SMALL

pytestmark = pytest.mark.xdist_group("studies")  # one worker: their runs are made once

WITHOUT_CLAIM = {"quickstart"}


def test_every_study_examines_a_claim_and_is_listed() -> None:
    names = {path.stem for path in (files.folder() / "study").glob("*.yaml")}
    assert names - WITHOUT_CLAIM == set(BY_IMPORTANCE)
    assert {name for name in names if claim_of(name) is not None} == set(BY_IMPORTANCE)
    assert {entry.name for entry in entries()} == names
    assert [entry.name for entry in entries()][: len(BY_IMPORTANCE)] == list(BY_IMPORTANCE)


def test_every_verdict_was_tried_both_ways() -> None:
    assert set(CASES) | {"shorten_plateaus"} == set(BY_IMPORTANCE)
    assert all({"reproduced", "not reproduced"} <= {kind for kind, _ in cases} for cases in CASES.values())


@pytest.mark.parametrize("name", BY_IMPORTANCE)
def test_what_a_study_needs_can_be_measured(name: str) -> None:
    module = claim_of(name)
    assert module is not None
    for required in module.REQUIRED_MEASURES:
        assert set(required.measures) <= set(UNMEASURED.by_name)
        assert all(setting.startswith("measures.") for setting in required.settings)


def test_the_verdict_of_a_search(tmp_path: Path) -> None:
    trials = [
        recorded_searches.complete(recorded_searches.SLOW, 0.001),
        recorded_searches.complete(recorded_searches.FAST, 0.003),
    ]
    later = [value + 50 for value in recorded_searches.SLOW]
    fresh = {"first_seed": 100}
    for name, found in (("better", recorded_searches.FAST), ("worse", later)):
        confirmed = [
            recorded_searches.complete(recorded_searches.SLOW, 0.001, **fresh),
            recorded_searches.complete(found, 0.003, **fresh),
        ]
        search = recorded_searches.read_search(
            recorded_searches.record_search(tmp_path / name, trials, confirmed, confirm=["seeds=[100]"])
        )
        assert judge("shorten_plateaus", search).kind == ("reproduced" if name == "better" else "not reproduced")
        (finding,) = shorten_plateaus.findings(shorten_plateaus.compute(search))
        assert "escape the first plateau sooner than the document's, on fresh seeds" in finding.statement


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`communication`, small, with six seeds; `binding_outer` takes its runs over."""
    folder = tmp_path_factory.mktemp("studies") / "runs"
    small = [setting for setting in SMALL if not setting.startswith(("topology.links", "seeds"))]
    settings = [*small, "seeds=6", "training.iterations=120", "training.snapshot_every=40", "measures.every=40"]
    for name in ("communication", "binding_outer"):
        words = [sys.executable, "-m", "badger_sweeps", f"study={name}", f"hydra.sweep.dir={folder / name}"]
        done = warm.run([*words, *settings, "tracking=disabled"])
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def judged(runs: Path) -> str:
    words = [sys.executable, "-m", "badger_sweeps", "study", str(runs / "communication")]
    done = warm.run(words, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_study_ends_with_its_verdict_and_its_figure(judged: str, runs: Path) -> None:
    words = " ".join(judged.split())
    assert "The claim: The task could be solved without communication at all" in words
    assert "message ablation increases the loss of networks trained with messages" in words
    assert " ".join(FINDING_COLUMNS) in words
    assert "Verdict: " in words
    assert (runs / "communication" / FIGURE).read_bytes().startswith(b"\x89PNG")


def test_what_it_needs_is_measured_once(judged: str, runs: Path) -> None:
    path = runs / "communication" / "linked" / "measures.parquet"
    assert not (runs / "communication" / "unlinked" / "measures.parquet").exists()
    before = path.stat().st_mtime_ns
    assert warm.run([sys.executable, "-m", "badger_sweeps", "study", str(runs / "communication")]).returncode == 0
    assert path.stat().st_mtime_ns == before


def test_what_was_measured_with_other_settings_or_code_is_measured_again(
    judged: str, runs: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "communication"
    shutil.copytree(runs / "communication", copy)
    linked = copy / "linked"
    before = read_measures(linked)
    assert before is not None
    wrong = before.assign(**{"message_ablation/loss": 7.0})
    write_measures(linked, wrong, {"message_ablation/loss": "of another version"})
    assert warm.run([sys.executable, "-m", "badger_sweeps", "study", str(copy)]).returncode == 0
    again = read_measures(linked)
    assert again is not None
    pd.testing.assert_series_equal(again["message_ablation/loss"], before["message_ablation/loss"])
    assert measured_with(linked) == measured_with(runs / "communication" / "linked")


def test_a_study_that_was_changed_decides_nothing(judged: str, runs: Path, tmp_path: Path) -> None:
    assert "cannot be decided, because it was not run at its standard settings (topology.experts=5," in " ".join(
        judged.split()
    )
    other = tmp_path / "communication"
    shutil.copytree(runs / "communication", other)
    path = other / "multirun.yaml"
    path.write_text(path.read_text().replace("iterations: 120", "iterations: 100"))
    assert "must have 100 iterations in linked; found 120." in error("study", str(other))


def test_the_page_shows_the_claim_its_parts_and_the_figure(judged: str, runs: Path, browser: Show) -> None:
    page = browser(runs / "communication")
    assert "take" in page.locator("#claim").inner_text()
    assert page.locator("#findings tbody tr").count() == 4
    page.wait_for_selector("#figure-claim .main-svg")
    assert page.locator("#claim code").inner_text() == "badger-sweeps study communication"


def test_the_document_tells_every_study(judged: str, runs: Path, tmp_path: Path) -> None:
    document = tmp_path / "docs" / "replication.md"
    words = [sys.executable, "-m", "badger_sweeps", "replication", str(runs), "--document", str(document)]
    done = warm.run(words)
    assert done.returncode == 0, done.stderr
    text = document.read_text()
    assert "2 of 22 studies were run" in text
    assert "`linked` is the same run as `binding_outer/linked`" in text
    assert "`badger-sweeps study communication`" in text
    assert "Not run yet: `badger-sweeps study dmd`" in text
    assert (document.with_suffix("") / "communication.png").exists()
    assert "6 seeds (0 to 5)" in text
    shown = {path.name for path in document.with_suffix("").iterdir()}
    assert shown == {"communication.png", "binding_outer.png"}


def test_what_is_not_run_anew_keeps_its_place_in_the_document(judged: str, runs: Path, tmp_path: Path) -> None:
    """To the letter, and it is counted; what is there is judged anew."""
    document, part = tmp_path / "replication.md", tmp_path / "part"

    def write(below: Path) -> str:
        done = warm.run([sys.executable, "-m", "badger_sweeps", "replication", str(below), "--document", str(document)])
        assert done.returncode == 0, done.stderr
        return document.read_text()

    whole = write(runs)
    shutil.copytree(runs / "communication", part / "communication")
    text = write(part)
    kept = whole[whole.index("## binding_outer") : whole.index("## binding_inner")]
    assert kept in text
    assert [line for line in text.splitlines() if line.startswith("| [binding_outer]")] == [
        line for line in whole.splitlines() if line.startswith("| [binding_outer]")
    ]
    spoilt = document.read_text().replace("## communication", "## communication\n\nNONSENSE", 1)
    document.write_text(spoilt.replace("## binding_outer", "## binding_outer\n\nKEPT", 1))
    text = write(part)
    assert "NONSENSE" not in text
    assert "## binding_outer\n\nKEPT\n" in text
    assert "2 of 22 studies were run" in text
    assert "Not run yet: `badger-sweeps study dmd`" in text


def test_the_quick_scale_is_told_where_there_is_no_other(judged: str, runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "runs"
    shutil.copytree(runs / "communication", other / "communication_quick")
    config = other / "communication_quick" / "multirun.yaml"
    config.write_text(config.read_text().replace("scale: full", "scale: quick"))
    document = tmp_path / "replication.md"
    words = [sys.executable, "-m", "badger_sweeps", "replication", str(other), "--document", str(document)]
    done = warm.run(words)
    assert done.returncode == 0, done.stderr
    text = document.read_text()
    assert "## communication (quick only)" in text
    assert "cannot be decided, because only the quick scale was run" in text
    assert "`badger-sweeps study communication scale=quick`" in text


def test_the_same_study_on_other_seeds_stands_below_it(judged: str, runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "runs"
    for name in ("communication", "communication_seeds_8-13"):
        shutil.copytree(runs / "communication", other / name)
    renumber(other / "communication_seeds_8-13", by=8)
    document = tmp_path / "replication.md"
    words = [sys.executable, "-m", "badger_sweeps", "replication", str(other), "--document", str(document)]
    done = warm.run(words)
    assert done.returncode == 0, done.stderr
    text = document.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| [communication]"))
    assert row.endswith("| cannot be decided | cannot be decided (8 to 13) |")
    standard, _, confirmed = text.partition("**On seeds 8 to 13: cannot be decided, because")
    assert "6 seeds (0 to 5)" in standard
    assert "1 of 22 studies were run" in standard
    assert confirmed.count("| message ablation increases the loss of networks trained with messages |") == 1


def renumber(study: Path, by: int) -> None:
    """Give a study's runs other seeds, as if it had been run on these."""
    for path in study.glob("*/summary.json"):
        summary = json.loads(path.read_text())
        for outcome in summary["seeds"]:
            outcome["seed"] += by
        path.write_text(json.dumps(summary))
    for path in (file for file in study.rglob("*.parquet") if file.is_file()):
        rows = pq.read_table(path, partitioning=None)
        place = rows.column_names.index("seed")
        seeds = pc.add(rows["seed"], pa.scalar(by, rows["seed"].type))
        pq.write_table(rows.set_column(place, rows.schema.field(place), seeds), path)


def error(*words: str) -> str:
    done = warm.run([sys.executable, "-m", "badger_sweeps", *words])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_study_that_is_not_whole_is_told_in_one_line(runs: Path, tmp_path: Path) -> None:
    part = tmp_path / "communication"
    shutil.copytree(runs / "communication", part)
    shutil.rmtree(part / "unlinked")
    said = error("study", str(part))
    assert "must have all arms of the study finished; found no finished unlinked." in said
    (tmp_path / "empty").mkdir()
    assert "must have finished runs below it; found none." in error("study", str(tmp_path / "empty"))
    said = error("replication", str(tmp_path / "empty"))
    assert "must have a finished standard study below it; found none." in said


def test_runs_of_one_configuration_are_shared(runs: Path) -> None:
    provenance = json.loads((runs / "binding_outer" / "linked" / "provenance.json").read_text())
    assert provenance["taken_over_from"] == str(runs / "communication" / "linked")


def test_the_list_of_studies() -> None:
    done = warm.run([sys.executable, "-m", "badger_sweeps", "studies"], env={"COLUMNS": "160", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert "guessing_game" in done.stdout
    assert "Are there several plateaus" in done.stdout


@pytest.mark.slow
def test_all_studies_run_at_the_quick_scale(tmp_path: Path) -> None:
    """What `badger-sweeps study all scale=quick` does, and the document of it."""
    for name in BY_IMPORTANCE:
        started = monotonic()
        folder = tmp_path / "runs" / f"{name}_quick"
        trained = [sys.executable, "-m", "badger_sweeps", f"study={name}", "scale=quick", f"hydra.sweep.dir={folder}"]
        for words in (
            [*trained, "tracking=disabled"],
            [sys.executable, "-m", "badger_sweeps", "study", str(folder)],
        ):
            done = warm.run(words)
            assert done.returncode == 0, f"{name}: {done.stderr}"
        assert "cannot be decided, because only the quick scale was run" in " ".join(done.stdout.split())
        print(f"{name}: {monotonic() - started:.0f} s")  # with pytest -rP: the times in the headers of conf/study
    document = tmp_path / "replication.md"
    done = warm.run(
        [sys.executable, "-m", "badger_sweeps", "replication", str(tmp_path / "runs"), "--document", str(document)]
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(BY_IMPORTANCE)} of {len(BY_IMPORTANCE)} studies were run" in document.read_text()
