"""What a command imports, and that the garbage collector does not search it."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from badger_sweeps.commands.importing import import_uncollected

SMALL = (
    "seeds=2", "topology.experts=3", "topology.links=1", "architecture.hidden=4", "architecture.message=2",
    "training.inner_steps=3", "training.batch_size=4", "training.iterations=2", "tracking=disabled",
)  # fmt: skip
REPORTS = {"matplotlib", "plotly", "lifelines", "statsmodels", "ruptures", "jinja2"}
CHOICES = {"torchjd", "cvxpy", "pytorch_optimizer", "networkx", "torch._dynamo"}
OTHER_COMMANDS = {"optuna_dashboard", "wandb_workspaces", "wandb"}
SEARCHES = {"optuna", "psutil", "badger_sweeps.search.search"}
DATABASES = {"sqlalchemy", "alembic"}
MEASURES_FROM_SNAPSHOTS = {"pydmd", "nolds", "sklearn"}


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    program = (
        "import sys; from badger_sweeps.commands.main import main\n"
        f"sys.argv = ['badger-sweeps', *{arguments!r}]\n"
        "main()\n"
        "print('loaded:', *sys.modules)"
    )
    line = [sys.executable, "-c", program]
    shown = subprocess.run(line, capture_output=True, text=True, check=True, cwd=folder).stdout
    return set(shown.rpartition("loaded: ")[2].split())


def test_a_run_imports_only_what_it_uses(tmp_path: Path) -> None:
    modules = loaded(tmp_path, *SMALL, "hydra.run.dir=one")
    assert (tmp_path / "one" / "summary.json").exists()
    unused = (REPORTS - {"ruptures"}) | CHOICES | OTHER_COMMANDS | SEARCHES | DATABASES | MEASURES_FROM_SNAPSHOTS
    assert modules & unused == set()


def test_a_search_in_a_journal_imports_no_database(tmp_path: Path) -> None:
    lr = "optimizer.lr=interval(0.001,0.01)"
    modules = loaded(
        tmp_path, "-m", "hydra/sweeper=badger", lr, "hydra.sweeper.n_trials=1", "hydra.sweep.dir=two", *SMALL
    )
    assert (tmp_path / "two" / "0" / "summary.json").exists()
    unused = (REPORTS - {"ruptures"}) | CHOICES | OTHER_COMMANDS | DATABASES | MEASURES_FROM_SNAPSHOTS
    assert modules & unused == set()


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "looked_at.py").write_text(
        "import gc\nCOLLECTED_HERE = gc.isenabled()\nSOME = [[] for _ in range(9)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "looked_at", raising=False)
    return "looked_at"


def test_imports_are_neither_searched_nor_kept_in_view(module: str) -> None:
    frozen = gc.get_freeze_count()
    try:
        imported = import_uncollected(module)
        assert not imported.COLLECTED_HERE
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
        assert not any(found is imported.SOME for found in gc.get_objects())
    finally:
        gc.unfreeze()


def test_what_comes_into_being_after_the_import_is_collected(module: str) -> None:
    try:
        import_uncollected(module)
        cycle = weakref.ref(_Cycle())
        import_uncollected(module)  # as a later run of the same process does
        gc.collect()
        assert cycle() is None
    finally:
        gc.unfreeze()


def test_an_import_that_fails_leaves_the_collector_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_here.py").write_text("raise ImportError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(ImportError, match="broken"):
            import_uncollected("broken_here")
        assert gc.isenabled()
        gc.disable()
        with pytest.raises(ImportError, match="broken"):
            import_uncollected("broken_here")
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
