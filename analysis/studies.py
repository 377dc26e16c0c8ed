"""``python -m analysis.studies``: list the standard studies: name, question, expected time on 2 cores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from badger_sweeps.commands import configuration

OPENING = re.compile(r"# (?P<question>.+\?) (?P<quick>.+) quick, (?P<full>.+) full on 2 cores\.")
"""How a study's file opens: ``# QUESTION? TIME quick, TIME full on 2 cores.``"""
BY_IMPORTANCE = (
    "guessing_game", "exponential_update", "weighted_readout", "mutual_information", "binding_outer", "binding_inner",
    "hurst", "l1_loss", "frequency_supervised", "frequency_lstm", "frequency_quantized", "frequency_badger",
    "communication", "adding_experts", "topology", "ray_interference", "conflicting_gradients", "saddles", "lyapunov",
    "transient_chaos", "dmd", "shorten_plateaus",
)  # fmt: skip
"""The studies of the document's claims, by their weight in it."""


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
    found = {path.stem: path for path in sorted((configuration.folder() / "study").glob("*.yaml"))}
    names = [*(name for name in BY_IMPORTANCE if name in found), *(name for name in found if name not in BY_IMPORTANCE)]
    return [_entry(found[name]) for name in names]


def _entry(path: Path) -> Entry:
    line = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    told = OPENING.fullmatch(line)
    if told is None:
        raise ValueError(f"{path} must open with `# QUESTION? TIME quick, TIME full on 2 cores.`; found {line!r}")
    return Entry(path.stem, told["question"], told["quick"], told["full"])


def main() -> None:
    """Print the list, or with --names the names of the studies of claims alone."""
    import sys

    if sys.argv[1:] == ["--names"]:
        print("\n".join(BY_IMPORTANCE))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in ("make study-...", "question"):
        table.add_column(column, overflow="fold")
    for column in ("scale=quick", "scale=full"):
        table.add_column(column, justify="right", no_wrap=True)
    for entry in entries():
        table.add_row(*entry)
    console = Console()
    console.print(table, markup=False)
    console.print("Times are for 2 cores; runs that another study has made already are taken over.")


if __name__ == "__main__":
    main()
