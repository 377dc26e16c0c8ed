"""``python -m benchmarks.performance``: write docs/performance.md from what `make bench` stored.

The text is ``performance.md.jinja``; every figure comes from the newest row that a session on this kind of processor
has. docs/performance.json keeps these rows, so that the page can be checked without the sessions.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from benchmarks.figures import Figure, Label, Row
from benchmarks.sessions import RESULTS, Session, newest_rows, on_the_same_kind, stored_sessions
from benchmarks.targets import TARGETS

DOCS = Path(__file__).parent.parent / "docs"
PAGE, RECORD = DOCS / "performance.md", DOCS / "performance.json"
TEMPLATE = "performance.md.jinja"
MISSING = "not measured"


@dataclass
class Page:
    """The functions that the template calls, over the rows of some sessions on one kind of processor.

    Attributes:
        sessions: the sessions, the oldest first, each with the rows that no later one has measured again.
        missing: the figures that the template asked for and no row has, in words.
    """

    sessions: Sequence[Session]
    missing: list[str] = field(default_factory=list)

    @classmethod
    def of_newest(cls, sessions: Sequence[Session]) -> Page:
        """The newest row of each key, of the sessions on the processor of the last one."""
        if not sessions:
            return cls(())
        same = on_the_same_kind(sessions, sessions[-1].processor)
        newest = newest_rows(same)
        kept = [(each, [row for row, session in newest.values() if session is each]) for each in same]
        return cls([_with_rows(session, rows) for session, rows in kept if rows])

    @property
    def rows(self) -> list[Row]:
        """All rows."""
        return [row for session in self.sessions for row in session.rows]

    def render(self) -> str:
        """The page, in Markdown."""
        self.missing.clear()
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
        )
        functions = {"table": self.table, "found": self.found, "figure": self.figure, "targets": self.targets}
        return environment.get_template(TEMPLATE).render(machine=self.machine(), **functions)

    def find(self, table: str, labels: Mapping[str, Label], column: str) -> Figure | None:
        """The figure in the newest row of `table` that has these labels."""
        rows = [row for row in self.rows if row.table == table and row.has(labels) and column in row.figures]
        if not rows:
            self.missing.append(f"{Row(table, labels, {})}: {column}")
            return None
        return rows[-1].figures[column]

    def figure(self, table: str, column: str, unit: str = "", **labels: Label) -> str:
        """One figure with its quartiles and its unit, for a sentence."""
        figure = self.find(table, labels, column)
        return MISSING if figure is None else f"{figure}{unit and ' ' + unit}"

    def table(
        self, name: str, labels: Mapping[str, Sequence[Label]], columns: Mapping[str, str], **fixed: Label
    ) -> str:
        """A table with a row for each combination of labels, whether it was measured or not.

        Args:
            name: the table of the rows.
            labels: the values of each label that varies, in order.
            columns: the title of each figure, by its column.
            fixed: labels that all rows have, and that no column shows.
        """
        combinations: list[dict[str, Label]] = [{}]
        for label, values in labels.items():
            combinations = [{**before, label: value} for before in combinations for value in values]
        return self._markdown(name, combinations, columns, fixed)

    def found(self, name: str, labels: Sequence[str], columns: Mapping[str, str], **fixed: Label) -> str:
        """A table of all rows that were measured; `labels` are those that are shown."""
        rows = [row for row in self.rows if row.table == name and row.has(fixed)]
        combinations = [{label: row.labels[label] for label in labels} for row in rows]
        return self._markdown(name, combinations or [dict.fromkeys(labels, MISSING)], columns, fixed)

    def targets(self) -> str:
        """The table of targets and results."""
        cells = []
        for target in TARGETS:
            figure = self.find(target.table, target.labels, target.column)
            result = MISSING if figure is None else f"{figure}{target.unit and ' ' + target.unit}"
            cells.append([target.words, target.limit, result, target.verdict(figure)])
        return _rows_of_markdown(["", "target", "result", "reached"], cells)

    def machine(self) -> dict[str, Any]:
        """What was measured on, with what, when: `processor`, `versions` of the last session, and `sessions`."""
        if not self.sessions:
            return {"processor": MISSING, "versions": MISSING, "sessions": MISSING}
        last = self.sessions[-1]
        kind = last.processor
        return {
            "processor": f"{kind['name']} (family {kind['family']}, model {kind['model']}), {kind['cores']} cores",
            "versions": ", ".join(f"{name} {version}" for name, version in last.versions.items()),
            "sessions": "; ".join(
                f"{session.date}, commit {session.commit} ({len(session.rows)} rows)" for session in self.sessions
            ),
        }

    def record(self) -> dict[str, Any]:
        """The rows with their sessions, as docs/performance.json has them."""
        return {
            "sessions": [
                {
                    "date": session.date,
                    "commit": session.commit,
                    "processor": dict(session.processor),
                    "versions": dict(session.versions),
                    "rows": [row.stored() for row in session.rows],
                }
                for session in self.sessions
            ]
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Page:
        """The page of docs/performance.json."""
        return cls(
            [
                Session(
                    each["date"],
                    each["commit"],
                    each["processor"],
                    each["versions"],
                    (),
                    tuple(Row.restored(row) for row in each["rows"]),
                )
                for each in record["sessions"]
            ]
        )

    def _markdown(
        self,
        name: str,
        combinations: Iterable[Mapping[str, Label]],
        columns: Mapping[str, str],
        fixed: Mapping[str, Label],
    ) -> str:
        cells, titles = [], [*columns.values()]
        for labels in combinations:
            titles = [*labels, *columns.values()]
            figures = [self.find(name, {**labels, **fixed}, column) for column in columns]
            shown = [MISSING if figure is None else str(figure) for figure in figures]
            cells.append([*(str(label) for label in labels.values()), *shown])
        return _rows_of_markdown(titles, cells)


def _with_rows(session: Session, rows: Iterable[Row]) -> Session:
    """The session with these rows alone."""
    return Session(session.date, session.commit, session.processor, session.versions, (), tuple(rows))


def _rows_of_markdown(titles: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and its record; print what was not measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="the folder in which `make bench` stored sessions"
    )
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder to write to")
    given = parser.parse_args(arguments)
    sessions = stored_sessions(given.results)
    if not sessions:
        print(f"`{given.results}` must have sessions of `make bench`; found none.", file=sys.stderr)
        return 2
    page = Page.of_newest(sessions)
    (given.docs / PAGE.name).write_text(page.render())
    (given.docs / RECORD.name).write_text(json.dumps(page.record(), indent=1, ensure_ascii=False) + "\n")
    print(f"{given.docs / PAGE.name}: {len(page.rows)} rows of {len(page.sessions)} sessions")
    for missing in dict.fromkeys(page.missing):
        print(f"  {MISSING}: {missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
