"""`code-HASH.zip`: an archive of the package's code that a run used, without other files."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import badger_sweeps
from badger_sweeps.core.files import replacing

PACKAGES = ("badger_sweeps", "hydra_plugins/badger_sweeper")
"""The folders of code that is archived, relative to the folder of `badger_sweeps`."""
SUFFIXES = frozenset([".py", ".yaml", ".cpp", ".h", ".html", ".css", ".js"])
"""Suffixes of code and configuration files; other files in a checkout are not archived."""
COMPUTING = (
    *("aggregators", "architectures", "engines", "evaluation", "core", "feedback", "losses", "measures"),
    *("optimizers", "outer_objective.py", "readouts", "rollout.py", "rules", "schedules", "statistics", "tasks"),
    *("topologies", "training"),
)
"""The folders and files of the package that decide the numbers of a history; the others read, write and show them."""


def write_code(folder: Path) -> str:
    """Write the code's archive into a run's folder and return its name, which contains a hash of its content."""
    archive = _archive()
    path = folder / f"code-{hashlib.sha256(archive).hexdigest()[:12]}.zip"
    if not path.exists():
        with replacing(path) as file:
            file.write(archive)
    return path.name


def code_files() -> Iterator[tuple[str, Path]]:
    """Each file of the package: its path relative to the folder of `badger_sweeps`, and its absolute path."""
    root = Path(badger_sweeps.__file__).parent.parent
    # A wheel has its configuration within the package; a folder `conf` next to it then belongs to another package.
    folders = PACKAGES if (root / PACKAGES[0] / "conf").exists() else (*PACKAGES, "conf")
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield path.relative_to(root).as_posix(), path


@cache
def computing_code() -> str:
    """A hash of the code that decides the numbers of a history: equal hashes mean equal numbers."""
    digest = hashlib.sha256()
    for name, path in code_files():
        package, _, rest = name.partition("/")
        if package == PACKAGES[0] and rest.split("/")[0] in COMPUTING:
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def further_code(config: Any) -> str:
    """A hash of the files that define the configuration's classes from outside this package; empty if there are
    none."""
    files = sorted({file for name in _targets(config) if (file := _file_of(name)) is not None})
    if not files:
        return ""
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def _targets(config: Any) -> Iterator[str]:
    """The dotted names of all classes that a configuration builds, except this package's."""
    if isinstance(config, Mapping):
        name = config.get("_target_")
        if isinstance(name, str) and name.partition(".")[0] != PACKAGES[0]:
            yield name
    if isinstance(config, Mapping | list):
        for child in config.values() if isinstance(config, Mapping) else config:
            yield from _targets(child)


def _file_of(name: str) -> Path | None:
    """The file of a class's module; None if the module has no file or cannot be found."""
    module = name.rpartition(".")[0]
    try:
        spec = find_spec(module) if module else None
    except (ImportError, ValueError):  # the configuration builder reports it
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None and Path(spec.origin).is_file() else None


@cache  # the code that a process has imported stays the same even if the files change
def _archive() -> bytes:
    """The archive's content: equal bytes for equal code, since files are sorted by name and have no time stamps."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, path in code_files():
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()
