"""``badger-sweeps compare``: two runs of a real multirun."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from badger_sweeps.commands.main import main
from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.reporting.inference.comparison import differences
from badger_sweeps.reporting.reading.collection import gather
from tests import warm
from tests.browser import Show


def compare(*arguments: Path | str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "badger_sweeps", "compare", *map(str, arguments)]
    return warm.run(command, cwd=cwd)


@pytest.fixture(scope="module")
def folders(study: Path) -> list[Path]:
    return [run.folder for run in gather(study).runs]


def test_configurations_differences_and_page(folders: list[Path], tmp_path: Path, browser: Show) -> None:
    done = compare(*folders, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    flat = " ".join(done.stdout.split())
    assert "architecture GRU Exponential" in flat
    assert "architecture.b - 0.7" in flat
    assert "topology" not in flat
    assert max(map(len, done.stdout.splitlines())) <= 80
    seeds = [json.loads((folder / "summary.json").read_text())["seeds"] for folder in folders]
    lower = sum((b["final_loss"] or 1) < (a["final_loss"] or 1) for a, b in zip(*seeds, strict=True))
    table = {line.split("  ")[0].strip(): line for line in done.stdout.partition("8 seeds")[2].splitlines()}
    assert f"{lower}/8 seeds" in table[OBJECTIVES["final_loss"].label]
    mean = sum((b["escape_iteration"] or 240) - (a["escape_iteration"] or 240) for a, b in zip(*seeds, strict=True)) / 8
    escape = re.search(r" ([-+]\d+) ", table[OBJECTIVES["escape_iteration"].label])
    assert escape is not None
    assert escape[1] == f"{mean:+.0f}"
    page = browser((tmp_path / "comparison.html").as_uri())
    assert page.title() == "exponential compared with gru"
    assert page.locator("#configuration-table tbody tr").count() == 3
    assert page.locator("#differences h3").all_inner_texts()[-1] == "Final loss"
    link = page.locator("#results a", has_text="folder").first
    href = str(link.evaluate("link => link.href"))
    assert href == f"{folders[0].as_uri()}/"


def test_exchanging_the_runs_changes_the_signs(study: Path) -> None:
    runs = gather(study).runs
    forward, reverse = (
        {difference.objective: difference.paired for difference in differences(pair)} for pair in (runs, runs[::-1])
    )
    assert forward
    for objective, paired in forward.items():
        assert paired.difference.value == -reverse[objective].difference.value
        assert paired.p_value == reverse[objective].p_value
        assert paired.effect is not None
        assert reverse[objective].effect is not None
        assert paired.effect.value == pytest.approx(-reverse[objective].effect.value)


def test_runs_without_a_common_seed_are_not_paired(folders: list[Path], tmp_path: Path) -> None:
    for position, folder in enumerate(folders):
        copy = tmp_path / str(position)
        subprocess.run(["cp", "-r", folder, copy], check=True)
    summary = json.loads((tmp_path / "1" / "summary.json").read_text())
    for outcome in summary["seeds"]:
        outcome["seed"] += 100
    (tmp_path / "1" / "summary.json").write_text(json.dumps(summary))
    graphs = json.loads((tmp_path / "1" / "topology.json").read_text())
    moved = [{**graph, "seed": graph["seed"] + 100} for graph in graphs]
    (tmp_path / "1" / "topology.json").write_text(json.dumps(moved))
    (tmp_path / "1" / "history.parquet").rename(tmp_path / "old")
    history = pd.read_parquet(tmp_path / "old")
    (tmp_path / "1" / "history.parquet").mkdir()
    history.assign(seed=history["seed"] + 100).to_parquet(tmp_path / "1" / "history.parquet" / "part-00000.parquet")
    done = compare("0", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The runs share no seed" in done.stdout
    assert (tmp_path / "comparison.html").exists()


@pytest.mark.parametrize("case", ["several", "none", "same", "no folder for the page", "a folder for the page"])
def test_an_error_is_one_line(
    study: Path,
    folders: list[Path],
    tmp_path: Path,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments: list[Path | str]
    arguments, words = {
        "several": ([study, folders[0]], "must be the folder of one run; found 2: "),
        "none": ([folders[0], study / "unfinished"], "found none (not finished: at iteration 240 of 240"),
        "same": ([folders[0], folders[0]], "A and B must be two runs; found"),
        "a folder for the page": ([*folders, "--out", str(study)], "`--out` must be a file in a folder"),
        "no folder for the page": ([*folders, "--out", "no/where.html"], "`--out` must be a file in a folder"),
    }[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", "compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
