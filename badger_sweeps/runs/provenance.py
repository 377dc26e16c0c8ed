"""`provenance.json`: which code, on which machine, by which command made a run."""

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
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

import badger_sweeps
from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import write_json
from badger_sweeps.core.keys import BUDGET, deciding
from badger_sweeps.runs.code import computing_code, further_code, write_code

NAME = "provenance.json"
LIBRARIES = ("torch", "numpy", "scipy", "pandas", "networkx", "ruptures", "hydra-core", "optuna", "wandb")


ROUNDING = ("torch", "numpy", "scipy", "torchjd", "cvxpy", "clarabel", "pytorch_optimizer")
"""Libraries of which another version may compute or round otherwise."""
COMPUTED_FROM = "computed_from"
"""What the history follows from (`computed_from`); null for a run that went on with another configuration or code."""
WHATEVER_BUDGET = "computed_from_whatever_budget"
"""The same of the configuration without its number of iterations: what a continuation must have in common."""


class Provenance:
    """The record of one run, kept through its stops and restarts."""

    def __init__(self, folder: Path, first_iteration: int, engine: str, group: str, config: Mapping[str, Any]) -> None:
        self._path = folder / NAME
        self._content = _read(self._path) if self._path.exists() else {}
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
        """What the history follows from, noted anew at each start; nothing known once it is of two origins.

        A run that goes on has the history of one that was never stopped if all its sessions had the same configuration,
        with its measures and its engine, and the same code. The number of iterations may differ: it decides where
        a history ends and none of its numbers, so that a run continued to a larger budget has the history of that
        budget. What is scheduled over the budget is a key of its own, whose values are compared.
        """
        of_budget, of_any = computed_from(config), computed_from(_without_budget(config))
        before = self._content.get(WHATEVER_BUDGET)
        # Older records have only the hash that the budget is part of.
        alike = before == of_any if before else self._content.get(COMPUTED_FROM) == of_budget
        if first_iteration and not alike:
            return {COMPUTED_FROM: None, WHATEVER_BUDGET: None}
        return {COMPUTED_FROM: of_budget, WHATEVER_BUDGET: of_any}

    def close(self, iterations: int, measuring: float, exit_status: int) -> None:
        """Note how long this session took, how much of that went into measuring, how many iterations are done, and how
        it ended; of one that was killed nothing is noted."""
        self._session["wall_seconds"] = round(monotonic() - self._started, 3)
        self._session["measuring_seconds"] = round(measuring, 3)
        self._session["iterations_done"] = iterations
        self._session["exit_status"] = exit_status
        write_json(self._path, self._content)


def computed_from(config: Mapping[str, Any]) -> dict[str, str]:
    """What a history follows from, as two hashes: the resolved configuration, and the code that computes.

    Two runs for which both are equal have the same history, to the bit on one machine.
    """
    decisive = deciding(config, "history")
    configuration = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    versions = " ".join(version(name) for name in ROUNDING)
    return {
        "configuration": configuration,
        "code": hashlib.sha256(f"{computing_code()} {further_code(config)} {versions}".encode()).hexdigest(),
    }


def _without_budget(config: Mapping[str, Any]) -> dict[str, Any]:
    group, _, budget = BUDGET.partition(".")
    return {**config, group: {key: value for key, value in config.get(group, {}).items() if key != budget}}


def identity(folder: Path) -> tuple[str, str | None]:
    """The id of the run in `folder`, and the group that trackers are told; None if it was not noted."""
    content = _read(folder / NAME)
    return str(content["run_id"]), content.get("group")


def kept_code(folder: Path) -> tuple[Path, ...]:
    """The code that the run in `folder` was made with, in the order in which it was started with it."""
    names = dict.fromkeys(session.get("code") for session in _read(folder / NAME)["sessions"])
    return tuple(folder / name for name in names if name is not None and (folder / name).exists())


def exit_status(folder: Path) -> int:
    """How the last session of the run in `folder` ended; 1 if nothing was noted, since it was killed."""
    status = _read(folder / NAME)["sessions"][-1].get("exit_status")
    return 1 if status is None else int(status)


def started(folder: Path) -> str:
    """When the run in `folder` first started, as text that sorts by time."""
    return str(_read(folder / NAME)["sessions"][0]["started"])


def code_version(folder: Path) -> str:
    """The code that computed the run in `folder` last: its commit, and the hash of what differed from it."""
    last = _read(folder / NAME)["sessions"][-1]
    commit, changes = last.get("git_commit"), last.get("git_diff_sha256")
    return f"{(commit or last['badger_sweeps'])[:12]}{f' with changes {changes[:12]}' if changes else ''}"


def computing_version(folder: Path) -> str:
    """The code that decided the numbers of the run in `folder`: equal versions, equal numbers; of a run that went on
    with another configuration or code than it began with, `code_version`."""
    known = _read(folder / NAME).get(COMPUTED_FROM)
    return str(known["code"])[:12] if known else code_version(folder)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except ValueError:
        raise UsageError(f"`{path}` must be whole JSON; found a damaged file. Delete it to go on without it.") from None


def _code() -> dict[str, str | None]:
    """The commit of the checkout this package is imported from, and a hash of what differs from it."""
    source = Path(badger_sweeps.__file__).parent
    commit = _git(source, "rev-parse", "HEAD")
    # A wheel installed below some other repository must not be taken for that repository's code.
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
