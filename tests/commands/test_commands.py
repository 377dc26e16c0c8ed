"""The commands: found by their first word, one style of errors, help with an example."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import badger_sweeps
from badger_sweeps.commands.command import COMMANDS
from badger_sweeps.commands.study import folder_of
from tests import warm
from tests.runs.commands import run


def typed(*words: str, cwd: Path | None = None) -> CompletedProcess[str]:
    return warm.run([sys.executable, "-m", "badger_sweeps", *words], cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = typed(command, "--help")
    assert shown.returncode == 0
    assert f"badger-sweeps {command}" in shown.stdout.splitlines()[0]
    assert f"Example: badger-sweeps {command}" in shown.stdout
    assert COMMANDS[command][1:].partition(":")[0] in " ".join(shown.stdout.split())


MISTAKES = {
    "nothing": (["report"], "report: RUNS must be given; found nothing. Example: badger-sweeps report runs/quickstart"),
    "an option": (["watch", ".", "--prot=1"], "`--prot=1` is not an argument of badger-sweeps watch. Did you mean"),
    "no number": (["watch", ".", "--port", "x"], "watch: `--port` must be a whole number; found 'x'."),
    "no value": (["watch", ".", "--port"], "watch: `--port` must have a value; found none."),
    "no choice": (["workspace", ".", "--mode", "on"], "workspace: `--mode` must be one of"),
    "no runs": (["report", "."], "report: `.` must have finished runs below it; found none."),
    "no snapshots": (["measure", "."], "measure: `.` must have runs with snapshots"),
    "no search": (["dashboard", "."], "dashboard: `.` must be the folder of a search"),
    "nothing to send": (["sync", "."], "sync: `.` must have runs below it; found none."),
    "no study": (["study", "hurts"], "found 'hurts'. Did you mean `hurst`?"),
    "overrides of a folder": (["study", ".", "seeds=3"], "study: `seeds=3` must come with the name of a study"),
    "no studies": (["replication", "."], "replication: `.` must have a finished standard study below it; found none."),
    "no word": (["reprot", "runs"], "badger-sweeps: `reprot` must be KEY=VALUE or a command (report, compare, "),
    "no option of ours": (["--hlp"], "badger-sweeps: `--hlp` is not an option; `badger-sweeps --help` says"),
    "no value wanted": (["columns", "--markdown=3"], "`--markdown` must be given without a value; found '3'."),
    "no equals sign": (["study", "hurst", "foo"], "badger-sweeps: `foo` must be KEY=VALUE"),
    "a path with spaces": (["hydra.run.dir=a b ü"], "`hydra.run.dir=a b ü` must be KEY=VALUE, with a value that has"),
    "a study to name": (["study"], "study: STUDY must be given; found nothing."),
    "a second run": (["compare", "."], "compare: B must be given; found nothing."),
    "what is required": (["measure"], "measure: RUNS must be given; found nothing."),
    "an empty path": (["report", ""], "report: `RUNS` must be a path; found ''."),
    "an empty study": (["study", ""], "study: `STUDY` must be the name of a standard study"),
    "an empty folder": (["study", "hurst", "hydra.sweep.dir="], "study: `hydra.sweep.dir` must name a folder"),
    "an interpolation": (["study", "hurst", "hydra.sweep.dir=runs/${scale}"], "found 'runs/${scale}'."),
    "no value for Hydra": (["--version=3"], "badger-sweeps: `--version` must be given without a value; found '3'."),
    "no choice of Hydra's": (["--cfg", "foo"], "badger-sweeps: `--cfg/-c` must be one of 'job', 'hydra', 'all'; found"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(case: str, tmp_path: Path) -> None:
    words, expected = MISTAKES[case]
    done = typed(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("badger-sweeps")
    assert expected in line
    assert "usage:" not in line
    assert list(tmp_path.iterdir()) == []


DAMAGED = {
    "summary.json": ("[", "a whole file of this package; found a damaged one (Expecting value"),
    "measures.parquet": ("[", "a whole file of this package; found a damaged one (Parquet"),
    "history.parquet/part-00000.parquet": ("[", "a whole file of this package; found a damaged one (Parquet"),
    ".hydra/config.yaml": ("[", "a recorded configuration; found a damaged one (while parsing"),
    ".hydra/hydra.yaml": ("a: 1", "a recorded configuration; found a damaged one ('hydra')"),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    done = run(folder, "training.iterations=24", "training.snapshot_every=24", "measures=none", tracking="wandb")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("file", DAMAGED)
def test_a_damaged_file_is_named_in_one_line(file: str, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    text, expected = DAMAGED[file]
    (tmp_path / "run" / file).write_text(text)
    done = typed("measure", "run", "fixed_loss", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"badger-sweeps measure: `run/{file}` must be {expected}")


OTHERS_DAMAGED = [
    ("sync", "topology.json", "["),
    ("workspace", "topology.json", "["),
    ("sync", "provenance.json", "{}"),
    ("workspace", "provenance.json", "{}"),
    ("report", "provenance.json", '{"sessions": 3}'),
    ("compare", "summary.json", "["),
    ("study", "multirun.yaml", "["),
    ("study", "multirun.yaml", "\udcff"),
    ("workspace", ".hydra/config.yaml", "seeds: 3"),
]


@pytest.mark.parametrize(("command", "file", "text"), OTHERS_DAMAGED)
def test_every_command_names_a_damaged_file(command: str, file: str, text: str, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / file).write_text(text, errors="surrogateescape")
    others = [str(trained)] if command == "compare" else []
    before = sorted(tmp_path.rglob("*"))
    done = typed(command, "run", *others, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"badger-sweeps {command}: ")
    assert f"`run/{file}` must be " in line
    assert "; found a damaged one (" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_run_is_left_out_where_others_are_measured(trained: Path, tmp_path: Path) -> None:
    for name in ("damaged", "whole"):
        shutil.copytree(trained, tmp_path / name)
    (tmp_path / "damaged" / "snapshots" / "000000024.pt").write_bytes(b"[")
    done = typed("measure", ".", "fixed_loss", cwd=tmp_path)
    assert done.returncode == 0
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("left out: "))
    path = "damaged/snapshots/000000024.pt"
    assert line == f"left out: damaged: `{path}` must be a whole checkpoint; found a damaged file of 1 bytes."
    assert (tmp_path / "whole" / "measures.parquet").exists()
    assert not (tmp_path / "damaged" / "measures.parquet").exists()


def test_a_value_that_cannot_be_parsed(trained: Path) -> None:
    done = typed("measure", str(trained), "fixed_loss", "measures.games=[1")
    assert done.stderr == "badger-sweeps measure: `measures.games` must have a value; found '[1'.\n"


def test_a_nested_key_is_named_whole(trained: Path) -> None:
    done = typed("measure", str(trained), "fixed_loss", "measures.fixed_loss.every=x")
    assert done.stderr == "badger-sweeps measure: `measures.fixed_loss.every` must be a whole number; found 'x'.\n"


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from badger_sweeps.commands import main, studies

    monkeypatch.setattr(studies, "entries", lambda: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", "studies"])
    with pytest.raises(ZeroDivisionError):
        main.main()


def test_the_version_is_ours() -> None:
    assert typed("--version").stdout == f"badger-sweeps {badger_sweeps.__version__}\n"


@pytest.mark.parametrize(
    ("overrides", "folder"),
    [
        ([], "runs/hurst"),
        (["scale=quick"], "runs/hurst_quick"),
        (["scale=full", "seeds=[8, 9]"], "runs/hurst_seeds_8-9"),
        (["seeds=16", "scale=quick"], "runs/hurst_quick_seeds_16"),
        (["hydra.sweep.dir='else/where'", "seeds=3"], "else/where"),
    ],
)
def test_where_the_runs_of_a_study_go(overrides: list[str], folder: str) -> None:
    assert folder_of("hurst", overrides) == Path(folder)
