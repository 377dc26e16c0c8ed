"""What others install, and what the README promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import badger_sweeps
from badger_sweeps.commands.columns import readme_table, rows
from badger_sweeps.commands.command import COMMANDS
from tests import warm
from tests.runs.commands import SMALL, run

pytestmark = pytest.mark.xdist_group("package")  # one worker: the wheel is built once

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_configuration_and_the_page(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"badger_sweeps/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert {name for name in inside if name.endswith(".yaml")} == expected
    assert {f"badger_sweeps/reporting/page/web/page.{kind}" for kind in ("html", "css", "js")} <= inside
    assert {name.split("/")[0] for name in inside if ".dist-info" not in name} == {"badger_sweeps", "hydra_plugins"}


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which the wheel is installed, beside the libraries of this one but not beside the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", str(wheel)]
    subprocess.run(install, capture_output=True, check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # whose own .pth files are not read
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has nothing at first; of all tests that type something."""
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def typed(environment: Path, empty: Path) -> Callable[..., str]:
    """Runs a command of the installed package in a folder away from the checkout; gives what it prints."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"COLUMNS": "120"}

    def run(*words: str, program: str = "badger-sweeps") -> str:
        line = [str(environment / "bin" / program), *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=empty, env=variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_installed_wheel_trains_reports_and_compares(
    typed: Callable[..., str], environment: Path, empty: Path
) -> None:
    assert typed("--version") == f"badger-sweeps {badger_sweeps.__version__}\n"
    typed("-m", "architecture=gru,exponential", "hydra.sweep.dir=runs/two", *SMALL, "seeds=6", "tracking=disabled")
    shown = typed("report", "runs/two")
    assert "report: runs/two/report.html" in shown
    folders = sorted(path.relative_to(empty) for path in (empty / "runs" / "two").glob("*seeds=6*"))
    assert len(folders) == 2
    assert "page: comparison.html" in typed("compare", *map(str, folders))
    code = (
        "import badger_sweeps as b; runs = b.load('runs/two'); frame = runs.histories(['loss'])\n"
        "from badger_sweeps.runs.code import code_files\n"
        "parts = sorted({name.split('/')[0] for name, _ in code_files()})\n"
        "print(b.__file__, len(frame), set(runs.columns().title) >= {'Loss'}, len(runs.summaries()), *parts)"
    )
    file, rows, described, seeds, *parts = typed("-c", code, program="python").split()
    assert file.startswith(str(environment))
    assert (int(rows) > 0, described, seeds) == (True, "True", "12")
    assert parts == ["badger_sweeps", "hydra_plugins"]


@pytest.mark.slow
def test_every_command_of_the_installed_wheel_has_help(typed: Callable[..., str]) -> None:
    for command in COMMANDS:
        assert "Example: badger-sweeps " in typed(command, "--help")


@pytest.mark.slow
def test_the_installed_wheel_judges_a_study(typed: Callable[..., str]) -> None:
    shown = typed("study", "weighted_readout", "scale=quick", "training.iterations=60", "tracking=disabled")
    assert "The claim: Giving each expert an output weight" in shown
    assert "Verdict: cannot be decided" in shown
    assert "figure: runs/weighted_readout_quick/figure.png" in shown
    assert "weighted_readout" in typed("replication", "runs", "--document", "claims.md")
    assert "binding_outer" in typed("studies")
    assert typed("rays", "rays.html") == "rays: rays.html\n"


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(("example", "lines"), list(zip(EXAMPLES, (4, 4, 1), strict=True)))
def test_the_readmes_python_runs(example: str, lines: int, tmp_path: Path) -> None:
    assert len(example.strip().splitlines()) <= 10
    if "runs/quickstart" in example:
        trained = run(tmp_path / "runs" / "quickstart", "training.iterations=12")
        assert trained.returncode == 0, trained.stderr
        example += "print(losses, outcomes, columns)"
    (tmp_path / "example.py").write_text(example)
    shown = warm.run([sys.executable, "-m", "example"], cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.splitlines()) >= lines


def test_torch_is_pinned_exactly() -> None:
    assert "torch==2.13.0\n" in (ROOT / "constraints.txt").read_text()
    assert '"torch==2.13.0",' in (ROOT / "pyproject.toml").read_text()


def test_the_readmes_table_of_measures_is_the_one_that_is_printed() -> None:
    assert readme_table(rows()) in (ROOT / "README.md").read_text()


def test_the_readme_and_the_help_name_every_command() -> None:
    listed = (ROOT / "README.md").read_text().partition("| command | does |")[2].partition("\n\n")[0]
    shown = warm.run([sys.executable, "-m", "badger_sweeps", "--help"]).stdout
    for command, does in COMMANDS.items():
        assert f"`{command}" in listed
        assert f"{command} " in shown
        assert does in shown
