"""A database that dies under a search: one line, nothing lost, and the same command continues once it is back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.commands import parts
from tests.search.commands import Controller, Records, command, iterations_done, run, sweep, wait_until
from tests.search.servers import SECRET, Server

TRIALS = ("hydra.sweeper.n_trials=2", "training.iterations=600", "training.checkpoint_every=50")


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that no other test needs."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    started = Server(folder)
    yield started
    started.stop()
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_database_that_dies_costs_one_line_and_no_trial(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "")  # so that what `StorageAddress.parse` leaves there is forgotten
    folder, address = tmp_path / "search", own_server.new_database()
    words = command(folder, f"hydra.sweeper.storage={address}", *TRIALS)
    controller = Controller(words, tmp_path / "log")
    wait_until(lambda: iterations_done(folder / "0") > 100, controller)
    own_server.kill()
    assert controller.wait() == 2
    last_line = controller.said.splitlines()[-1]
    assert last_line.startswith("badger-sweeps: `hydra.sweeper.storage` must keep answering; found postgresql")
    assert "Traceback" not in controller.said
    assert SECRET not in controller.said
    own_server.start()
    again = run(words)
    assert again.returncode == 0, again.stderr
    assert Records.of(folder, address).statuses() == ["completed"] * 2
    undisturbed = tmp_path / "undisturbed" / "search"
    assert sweep(undisturbed, *TRIALS).returncode == 0
    for number in range(2):
        assert parts(folder / str(number)) == parts(undisturbed / str(number))
