"""The standard studies: name, question and expected time on 2 cores, from the first line of `conf/study/NAME.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from badger_sweeps.configuration import files
from badger_sweeps.reporting.studies.claims import order

OPENING = re.compile(r"# (?P<question>.+\?) (?P<quick>.+) quick, (?P<full>.+) full on 2 cores\.")
"""The first line of a study's file: ``# QUESTION? TIME quick, TIME full on 2 cores.``"""


class Entry(NamedTuple):
    """One standard study."""

    name: str
    question: str
    quick: str
    """Expected time on 2 cores at the quick scale."""
    full: str
    """Expected time on 2 cores at the full scale."""


def entries() -> list[Entry]:
    """All standard studies: first those that examine the document's claims, ordered by the importance of the claim."""
    found = {path.stem: path for path in sorted((files.folder() / "study").glob("*.yaml"))}
    first = [name for name in order() if name in found]
    names = [*first, *(name for name in found if name not in first)]
    return [_entry(found[name]) for name in names]


def _entry(path: Path) -> Entry:
    line = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    opening = OPENING.fullmatch(line)
    if opening is None:
        raise ValueError(f"{path} must open with `# QUESTION? TIME quick, TIME full on 2 cores.`; found {line!r}")
    return Entry(path.stem, opening["question"], opening["quick"], opening["full"])
