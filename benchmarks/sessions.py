"""Sessions of `make bench` that pytest-benchmark stored: which machine, which commit, which rows."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.figures import Row

RESULTS = Path(__file__).parent / "results"
"""Where `make bench` stores a JSON file for each session."""
PACKAGES = ("torch", "numpy", "jax", "optax", "wandb", "optuna")
"""The packages whose versions a session records."""

CORES = len(os.sched_getaffinity(0))
"""The cores in use, counted before a benchmark pins the process to one of them."""


@dataclass(frozen=True)
class Session:
    """The benchmarks of one call of `make bench`, or of a part of it.

    Attributes:
        date: when it ended, as ``2026-11-30``.
        commit: the commit it ran on, shortened, with a plus sign if files had changed since.
        processor: the kind of processor: name, family, model, and cores in use. Times on another kind are not compared.
        versions: of Python, packages and the compiler, by name.
        benchmarks: the identifiers of the benchmarks that ran to their end, and therefore have rows.
        rows: the rows of their tables.
    """

    date: str
    commit: str
    processor: Mapping[str, str | int]
    versions: Mapping[str, str]
    benchmarks: tuple[str, ...]
    rows: tuple[Row, ...]

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Session:
        """The session from the JSON that pytest-benchmark writes, with what `described` added to the machine."""
        machine, commit = stored["machine_info"], stored["commit_info"]
        rows = [row for benchmark in stored["benchmarks"] for row in benchmark["extra_info"].get("rows", ())]
        return cls(
            date=stored["datetime"][:10],
            commit=f"{(commit.get('id') or 'unknown')[:7]}{'+' if commit.get('dirty') else ''}",
            processor=machine.get("processor_kind", {}),
            versions=machine.get("versions", {}),
            benchmarks=tuple(each["fullname"] for each in stored["benchmarks"] if each["extra_info"].get("rows")),
            rows=tuple(Row.restored(row) for row in rows if "figures" in row),
        )


def described(machine: Mapping[str, Any]) -> dict[str, Any]:
    """What a session's JSON says about the machine beyond pytest-benchmark's own description `machine`.

    ``processor_kind`` is the kind of processor, and ``versions`` has the versions of Python, `PACKAGES` and the
    compiler.
    """
    cpu = machine["cpu"]
    found = {name: cpu.get(name, "unknown") for name in ("brand_raw", "family", "model")}
    kind = {"name": found["brand_raw"], "family": found["family"], "model": found["model"]}
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    versions["compiler"] = _compiler()
    return {"processor_kind": {**kind, "cores": CORES}, "versions": versions}


def _compiler() -> str:
    """The first line of the version of the compiler that builds the kernel."""
    for command in (os.environ.get("CXX", "g++").split()[0], "clang++"):
        if shutil.which(command):
            answer = subprocess.run([command, "--version"], capture_output=True, text=True)
            return answer.stdout.partition("\n")[0]
    return "none"


def stored_sessions(folder: Path = RESULTS) -> list[Session]:
    """All sessions below a folder, the oldest first; files that are no sessions are left out."""
    found = []
    for path in folder.glob("*/*.json"):
        try:
            stored = json.loads(path.read_text())
            found.append((stored["datetime"], Session.restored(stored)))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
            continue  # written by another tool, or cut off
    return [session for _, session in sorted(found, key=lambda each: each[0])]


def on_the_same_kind(sessions: Iterable[Session], processor: Mapping[str, str | int]) -> list[Session]:
    """The sessions on one kind of processor."""
    return [session for session in sessions if session.processor == processor]


def newest_rows(sessions: Iterable[Session]) -> dict[object, tuple[Row, Session]]:
    """The newest row of each key, with its session; `sessions` are sorted, the oldest first."""
    return {row.key: (row, session) for session in sessions for row in session.rows}
