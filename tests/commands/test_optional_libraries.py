"""Libraries that are installed with an extra alone: one line says which, before anything is written."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from badger_sweeps.aggregators.cagrad import CAGrad
from badger_sweeps.commands import errors, main, study
from badger_sweeps.core import optional_libraries
from badger_sweeps.core.optional_libraries import EXTRAS, MissingLibraryError, require
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.modes import InnerModes
from badger_sweeps.runs.run import Plan
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.training.experiment import Experiment
from tests import warm
from tests.commands.test_errors import printed_error
from tests.commands.test_importing import SMALL
from tests.reporting.test_charts import CHART

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {"cvxpy": "torchjd[cagrad]", "optuna_dashboard": "optuna-dashboard"}
"""What an extra requires, where it has another name than the library that is imported."""
SEARCH = ("-m", "hydra/sweeper=badger", "optimizer.lr=interval(0.001,0.01)")
NEEDED = [
    (("aggregator=cagrad",), "`aggregator` cannot be built: CAGrad", "cvxpy"),
    (("measures.modes.every=100",), "`measures` cannot be built: The measure InnerModes", "pydmd"),
    ((*SEARCH, "hydra/sweeper/sampler=cmaes"), "hydra/sweeper/sampler=cmaes", "cmaes"),
    (
        (*SEARCH, "hydra.sweeper.storage=postgresql://me@host/db"),
        "`hydra.sweeper.storage` must be a database that answers; found postgresql+psycopg://me@host/db: "
        "a search in PostgreSQL",
        "psycopg",
    ),
]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if no optional library were installed, in an empty folder."""
    monkeypatch.setattr(optional_libraries, "find_spec", lambda library: None)
    monkeypatch.setattr(errors, "full_errors", False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line_for(what: str, library: str) -> str:
    return f"{what} needs {library}, which is not installed: pip install 'badger_sweeps[{EXTRAS[library]}]' installs it"


@pytest.mark.parametrize(("arguments", "what", "library"), NEEDED)
def test_a_choice_that_needs_a_library(
    arguments: tuple[str, ...], what: str, library: str, without: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert printed_error(capsys, monkeypatch, *arguments).rstrip(".") == line_for(what, library)
    assert list(without.rglob("*.*")) == []


@pytest.mark.parametrize(
    ("arguments", "what", "library"),
    [
        (("dashboard",), "The dashboard", "optuna_dashboard"),
        (("replication",), "A document with figures", "matplotlib"),
        (("study", "dmd", "scale=quick"), "The measure InnerModes", "pydmd"),
    ],
)
def test_a_command_that_needs_a_library(
    arguments: tuple[str, ...], what: str, library: str, without: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", *arguments])
    with pytest.raises(SystemExit) as leaving:
        main.main()
    assert leaving.value.code == 2
    assert capsys.readouterr().err == f"badger-sweeps {arguments[0]}: {line_for(what, library)}.\n"
    assert list(without.iterdir()) == []


def test_a_study_is_judged_without_its_figure(without: Path) -> None:
    assert study.figure_line(CHART, without / "figure.png") == line_for("figure: not drawn, since it", "matplotlib")
    assert list(without.iterdir()) == []


def test_measuring_again_needs_a_library(without: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    folder = without / "one"
    trained = warm.run([sys.executable, "-m", "badger_sweeps", *SMALL, f"hydra.run.dir={folder}"])
    assert trained.returncode == 0, trained.stderr
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", "measure", str(folder), "modes"])
    with pytest.raises(SystemExit) as leaving:
        main.main()
    assert leaving.value.code == 2
    assert capsys.readouterr().err == f"badger-sweeps measure: {line_for('The measure InnerModes', 'pydmd')}.\n"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("library", EXTRAS)
def test_the_extra_installs_the_library(library: str) -> None:
    (requirement,) = PROJECT["optional-dependencies"][EXTRAS[library]]
    assert requirement.startswith(REQUIREMENTS.get(library, library))
    assert not any(needed.startswith(REQUIREMENTS.get(library, library)) for needed in PROJECT["dependencies"])
    everything = PROJECT["optional-dependencies"]["dev"][0]
    assert EXTRAS[library] in everything.partition("[")[2].rstrip("]").split(",")
    require(library, "a test")  # the tests' environment has it


def test_what_is_not_installed_is_not_looked_for_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_libraries, "find_spec", lambda library: None)
    with pytest.raises(MissingLibraryError, match="needs pydmd, which is not installed"):
        require("pydmd", "This")


def test_what_was_recorded_is_read_without_the_libraries(without: Path) -> None:
    """A run with CAGrad and dynamic modes is described, reported and delivered where neither can be computed."""
    measures = replace(Measures(), modes=InnerModes(every=10))
    experiment = Experiment(aggregator=CAGrad(), device="cpu")
    planned = Plan(experiment, measures, without, "run", (), {}, "escape_iteration", Disabled())
    assert "modes/r2" in planned.columns
    with pytest.raises(MissingLibraryError, match="CAGrad needs cvxpy"):
        planned.check_libraries()
    with pytest.raises(MissingLibraryError, match="InnerModes needs pydmd"):
        replace(planned, experiment=Experiment(device="cpu")).check_libraries()
