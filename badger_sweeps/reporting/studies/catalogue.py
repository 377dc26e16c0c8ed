"""The standard studies: name, question, expected time on 2 cores, as their files in `conf/study` open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from badger_sweeps.configuration import files
from badger_sweeps.reporting.studies.claims import order

OPENING = re.compile(r"# (?P<question>.+\?) (?P<quick>.+) quick, (?P<full>.+) full on 2 cores\.")
"""How a study's file opens: ``# QUESTION? TIME quick, TIME full on 2 cores.``"""


class Entry(NamedTuple):
    """One standard study."""

    name: str
    question: str
    quick: str
    """Expected time on 2 cores at the quick scale."""
    full: str
    """At the full scale."""


def entries() -> list[Entry]:
    """All of them: those of the document's claims first, in the order of their weight."""
    found = {path.stem: path for path in sorted((files.folder() / "study").glob("*.yaml"))}
    first = [name for name in order() if name in found]
    names = [*first, *(name for name in found if name not in first)]
    return [_entry(found[name]) for name in names]


def _entry(path: Path) -> Entry:
    line = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    told = OPENING.fullmatch(line)
    if told is None:
        raise ValueError(f"{path} must open with `# QUESTION? TIME quick, TIME full on 2 cores.`; found {line!r}")
    return Entry(path.stem, told["question"], told["quick"], told["full"])
