"""`provenance.json`: the code, the machine and the command that computed a run."""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any

import badger_sweeps
from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.files import read_json, reading, write_json
from badger_sweeps.core.keys import BUDGET, indifferent, without
from badger_sweeps.runs.code import computing_code, further_code, write_code

PROVENANCE_FILE = "provenance.json"
LIBRARIES = ("torch", "numpy", "scipy", "pandas", "networkx", "ruptures", "hydra-core", "optuna", "wandb")


ROUNDING = ("torch", "numpy", "scipy", "torchjd", "cvxpy", "clarabel", "pytorch_optimizer")
"""Libraries of which another version may give other numbers."""
COMPUTED_FROM = "computed_from"
"""The key of the hashes of configuration and code (`computed_from`); null if a run was continued with others."""
WHATEVER_BUDGET = "computed_from_whatever_budget"
"""The key of the same hashes without the number of iterations: a continued run keeps them under any budget."""


class Provenance:
    """The record of one run, with an entry for each session: a start or restart of the run.

    Args:
        folder: the run's folder.
        first_iteration: the first iteration of this session.
        engine: a description of the engine.
        group: the run's group in W&B.
        config: the resolved configuration.
    """

    def __init__(self, folder: Path, first_iteration: int, engine: str, group: str, config: Mapping[str, Any]) -> None:
        self._path = folder / PROVENANCE_FILE
        self._content = read_json(self._path) if self._path.exists() else {}
        self._content.setdefault("run_id", secrets.token_hex(4))  # drawn once: the same after a restart
        self._content["group"] = group
        self._content |= self._follows_from(config, first_iteration)
        self._session: dict[str, Any] = {
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "first_iteration": first_iteration,
            "command": without_passwords(shlex.join(sys.argv)),
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "badger_sweeps": badger_sweeps.__version__,
            "engine": engine,
            "libraries": {name: version(name) for name in LIBRARIES},
            **_code(),
            "code": write_code(folder),
            "wall_seconds": None,
            "exit_status": None,
        }
        self._content.setdefault("sessions", []).append(self._session)
        self._started = monotonic()
        write_json(self._path, self._content)

    def _follows_from(self, config: Mapping[str, Any], first_iteration: int) -> dict[str, dict[str, str] | None]:
        """The hashes that identify the history, recorded at each start; None once two sessions differ in them.

        A continued run has the history of an uninterrupted one if all its sessions had the same configuration,
        including measures and engine, and the same code. The number of iterations may differ: it decides where a
        history ends but none of its numbers, so a run continued to a larger budget has the history of that budget.
        Schedules over the budget have keys of their own, whose values are compared.
        """
        of_budget, of_any = computed_from(config), computed_from(without(config, (BUDGET,)))
        before = self._content.get(WHATEVER_BUDGET)
        # Records of earlier versions have only the hash that includes the budget.
        alike = before == of_any if before else self._content.get(COMPUTED_FROM) == of_budget
        if first_iteration and not alike:
            return {COMPUTED_FROM: None, WHATEVER_BUDGET: None}
        return {COMPUTED_FROM: of_budget, WHATEVER_BUDGET: of_any}

    def close(self, iterations: int, measuring: float, exit_status: int) -> None:
        """Record the end of this session; a session that was killed has no such record.

        Args:
            iterations: the iterations that the run has completed.
            measuring: seconds spent on measuring.
            exit_status: of the session; 0 if the run is finished.
        """
        self._session["wall_seconds"] = round(monotonic() - self._started, 3)
        self._session["measuring_seconds"] = round(measuring, 3)
        self._session["iterations_done"] = iterations
        self._session["exit_status"] = exit_status
        write_json(self._path, self._content)


def computed_from(config: Mapping[str, Any]) -> dict[str, str]:
    """Two hashes that identify a history: of the resolved configuration, and of the code that computes it.

    Two runs with equal hashes have the same history, bit by bit on one machine.
    """
    decisive = without(config, indifferent("history"))
    configuration = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    versions = " ".join(_version(name) for name in ROUNDING)
    return {
        "configuration": configuration,
        "code": hashlib.sha256(f"{computing_code()} {further_code(config)} {versions}".encode()).hexdigest(),
    }


def _version(library: str) -> str:
    """The version of a library; a dash for an optional one that is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "-"


def run_id_and_group(folder: Path) -> tuple[str, str | None]:
    """The id of the run in `folder`, and its group in W&B; None if no group was recorded."""
    with reading(folder / PROVENANCE_FILE):
        content = read_json(folder / PROVENANCE_FILE)
        return str(content["run_id"]), content.get("group")


def kept_code(folder: Path) -> tuple[Path, ...]:
    """The archives of the code that the run in `folder` was computed with, in the order of its sessions."""
    names = dict.fromkeys(session.get("code") for session in _sessions(folder))
    return tuple(folder / name for name in names if name is not None and (folder / name).exists())


def exit_status(folder: Path) -> int:
    """The exit status of the last session of the run in `folder`; 1 if it was killed and so recorded none."""
    status = _sessions(folder)[-1].get("exit_status")
    return 1 if status is None else int(status)


def started(folder: Path) -> str:
    """The time at which the run in `folder` was first started, in ISO format (UTC)."""
    return str(_sessions(folder)[0]["started"])


def code_version(folder: Path) -> str:
    """The code of the last session of the run in `folder`: its commit, and a hash of its uncommitted changes."""
    last = _sessions(folder)[-1]
    commit, changes = last.get("git_commit"), last.get("git_diff_sha256")
    return f"{(commit or last['badger_sweeps'])[:12]}{f' with changes {changes[:12]}' if changes else ''}"


def computing_version(folder: Path) -> str:
    """The version of the code that decided the numbers of the run in `folder`: equal versions mean equal numbers.

    If the run was continued with another configuration or other code, this is `code_version`.
    """
    known = read_json(folder / PROVENANCE_FILE).get(COMPUTED_FROM)
    return str(known["code"])[:12] if known else code_version(folder)


def _sessions(folder: Path) -> list[dict[str, Any]]:
    with reading(folder / PROVENANCE_FILE):
        sessions = read_json(folder / PROVENANCE_FILE)["sessions"]
        if not isinstance(sessions, list) or not all(isinstance(session, dict) for session in sessions) or not sessions:
            raise TypeError("no list of sessions")
        return sessions


def _code() -> dict[str, str | None]:
    """The commit of the checkout that this package is imported from, and a hash of its uncommitted changes."""
    source = Path(badger_sweeps.__file__).parent
    commit = _git(source, "rev-parse", "HEAD")
    # The commit of another repository, below which a wheel is installed, must not be recorded.
    if commit is None or _git(source, "ls-files", "--error-unmatch", "__init__.py") is None:
        return {"git_commit": None, "git_diff_sha256": None}
    diff = _git(source, "diff", "HEAD") or b""
    return {
        "git_commit": commit.decode().strip(),
        "git_diff_sha256": hashlib.sha256(diff).hexdigest() if diff else None,
    }


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
