"""Sweeps as a user starts them: real processes, which tests stop, kill and read the traces of."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.search.leases import Lease
from badger_sweeps.search.storage import StorageAddress
from tests import warm

SEARCH = (
    "hydra/sweeper=badger",
    "hydra/sweeper/sampler=random",
    "hydra/sweeper/pruner=none",
    "optimizer.lr=tag(log,interval(0.0005,0.01))",
)
"""A search whose trials do not know of one another: with the random sampler a trial's parameters follow from its
number, and without a pruner its history follows from its parameters."""
SMALL = (
    "seeds=2",
    "topology.experts=3",
    "topology.links=1",
    "architecture.hidden=4",
    "architecture.message=2",
    "training.inner_steps=3",
    "training.batch_size=16",
    "training.snapshot_every=null",
    "measures=none",
)


def command(folder: Path, *overrides: str, tracking: str = "disabled") -> list[str]:
    given = [f"hydra.sweep.dir={folder}", f"tracking={tracking}", *SEARCH, *SMALL, *overrides]
    return [sys.executable, "-m", "badger_sweeps", "-m", *given]


def environment(**more: str) -> dict[str, str]:
    """This process's, less what a sweep started from it must not inherit; one thread a process."""
    kept = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    return {**kept, "OMP_NUM_THREADS": "1", **more}


def sweep(folder: Path, *overrides: str, tracking: str = "disabled") -> subprocess.CompletedProcess[str]:
    """Run a sweep to its end."""
    return warm.run(command(folder, *overrides, tracking=tracking), env=environment())


def run(words: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment(**more), timeout=600)


class Controller:
    """A command that runs in a session of its own and writes what it says to a file.

    Args:
        words: the command.
        log: where its output goes, after what is there.
        more: environment variables.
    """

    def __init__(self, words: list[str], log: Path, **more: str) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                words, stdout=file, stderr=subprocess.STDOUT, env=environment(**more), start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        return self.log.read_text()

    def signal(self, number: int, group: bool = False) -> None:
        if group:
            os.killpg(self.pid, number)
        else:
            self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(timeout=600)

    def kill(self) -> None:
        """End the whole group at once, as the kernel or a power cut would."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)


def wait_until(met: Callable[[], Any], controller: Controller | None = None) -> Any:
    """Wait until something is so; gives what it then is."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = met()
        if found:
            return found
        assert controller is None or controller.running, controller.said
        time.sleep(0.02)
    raise TimeoutError(controller.said if controller is not None else "it did not come to be")


class Records:
    """A search as it is stored, read from outside.

    Args:
        address: of its storage.
        name: its name there.
    """

    def __init__(self, address: StorageAddress, name: str) -> None:
        self._address, self._name = address, name
        self._storage: BaseStorage | None = None

    @classmethod
    def of(cls, folder: Path, address: str | None = None, name: str | None = None) -> Records:
        return cls(StorageAddress.parse(address, folder), name or folder.name)

    def trials(self) -> list[FrozenTrial]:
        """All trials; none before the search exists."""
        if self._storage is None:
            if self._address.file is not None and not self._address.file.exists():
                return []
            self._storage = self._address.open()
        try:
            study_id = self._storage.get_study_id_from_name(self._name)
        except KeyError:
            return []
        return self._storage.get_all_trials(study_id)

    def statuses(self) -> list[str]:
        """The status of each trial, as text."""
        return [
            trial.user_attrs.get("outcome", {}).get("state", trial.state.name.lower())
            if trial.state != TrialState.RUNNING
            else "running"
            for trial in self.trials()
        ]

    def running(self, pid: int) -> int | None:
        """The number of the trial that a process works on; None if it works on none."""
        for trial in self.trials():
            lease = Lease.read(trial.system_attrs)
            if trial.state == TrialState.RUNNING and lease is not None and lease.token and lease.owner.pid == pid:
                return trial.number
        return None

    def deaths(self) -> dict[int, int]:
        """How often a process died on each trial."""
        leases = {trial.number: Lease.read(trial.system_attrs) for trial in self.trials()}
        return {number: lease.deaths for number, lease in leases.items() if lease is not None}


def sessions(folder: Path) -> list[dict[str, Any]]:
    """The starts of a trial, from its provenance."""
    return list(json.loads((folder / "provenance.json").read_text())["sessions"])


def resumed_in_the_middle(folders: list[Path]) -> list[Path]:
    """Trials of which some start went on from a checkpoint."""
    return [folder for folder in folders if any(own["first_iteration"] for own in sessions(folder))]


def iterations_done(folder: Path) -> int:
    """How far a trial has come, as its files say."""
    if not list(folder.glob("history.parquet/part-*")):
        return 0
    history = pd.read_parquet(folder / "history.parquet", columns=["iteration"])
    return int(history["iteration"].max()) + 1 if len(history) else 0


def parameters(trials: list[FrozenTrial]) -> dict[int, Mapping[str, Any]]:
    return {trial.number: trial.params for trial in trials}


def in_child(work: Callable[[], object]) -> int:
    """Do something in a process of its own; gives its exit status, minus the signal that ended it."""
    return ended(forked(work))


def at_once(processes: int, work: Callable[[], object]) -> None:
    """Do something in so many processes at the same time; all must succeed."""
    children = [forked(work) for _ in range(processes)]
    assert [ended(child) for child in children] == [0] * processes


def forked(work: Callable[[], object]) -> int:
    """Begin something in a process of its own; gives its id.

    Forking makes a process in milliseconds that has everything imported.
    """
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    return child


def ended(child: int) -> int:
    """Wait for its end; gives its exit status, minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def application(folder: Path, body: str, config: str = "") -> list[str]:
    """A Hydra application of the test's own; gives the command that starts it.

    Args:
        folder: where to write it.
        body: of its task function, indented by four, which has `config`.
        config: its configuration, as YAML.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(f"hydra:\n  job:\n    name: app\n{config}")
    imports = "import os, signal, sys, time\nfrom pathlib import Path\nimport hydra\n"
    decorated = '@hydra.main(version_base=None, config_path=".", config_name="config")\ndef task(config):\n'
    (folder / "app.py").write_text(f"{imports}\n{decorated}{body}\n\nif __name__ == '__main__':\n    task()\n")
    return [sys.executable, str(folder / "app.py"), "-m", "hydra/sweeper=badger"]


def goes_on_with(said: str) -> Path:
    """The folder that a stopped sweep names to continue."""
    found = re.search(r"hydra\.sweep\.dir=(\S+) continues", said)
    if found is None:
        pytest.fail(f"no word on how to continue: {said}")
    return Path(found[1])
