"""docs/performance.md: made from measured rows alone, and up to date with its record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import performance
from benchmarks.figures import Figure, Row
from benchmarks.performance import MISSING, PAGE, RECORD, Page, main
from benchmarks.sessions import Session
from benchmarks.targets import TARGETS, Target

from .test_comparing import ZEN, row, store

BENCHMARKS = Path(performance.__file__).parent


def session(*rows: Row, date: str = "2026-11-30", processor: dict[str, str | int] = ZEN) -> Session:
    return Session(date, "0123456", processor, {"torch": "2.13.0"}, (), rows)


def test_the_page_is_what_its_record_gives() -> None:
    """Nobody types a figure: `make performance` writes both files."""
    assert PAGE.read_text() == Page.of_record(json.loads(RECORD.read_text())).render()


def test_a_figure_stands_in_its_cell_and_a_missing_one_is_not_measured() -> None:
    row = Row.of("gradients, one core", {"size": "base", "members": 8, "JAX x": Figure(6.25, 6.0, 6.5, "higher")})
    page = Page([session(row)])
    text = page.table("gradients, one core", {"size": ["base"], "members": [1, 8]}, {"JAX x": "JAX", "native/ms": "ms"})
    assert text.splitlines() == [
        "| size | members | JAX | ms |",
        "|---|---|---|---|",
        "| base | 1 | not measured | not measured |",
        "| base | 8 | 6.25 (6 to 6.5) | not measured |",
    ]
    assert page.missing == [
        "gradients, one core: size base, members 1: JAX x",
        "gradients, one core: size base, members 1: native/ms",
        "gradients, one core: size base, members 8: native/ms",
    ]
    rendered = page.render()
    assert "| gradients at base, 8 members, against JAX | at least 6 | 6.25 (6 to 6.5) | yes |" in rendered
    assert "| gradients at small, 8 members, against JAX | at least 5 | not measured |  |" in rendered


def test_figures_in_sentences_have_a_unit_if_they_were_measured() -> None:
    page = Page([session(Row.of("files of a run", {"seeds": 8, "W&B, MB/seed": Figure(0.4321)}))])
    assert page.figure("files of a run", "W&B, MB/seed", "MB") == "0.432 MB"
    assert page.figure("files of a run", "code, MB/run", "MB") == MISSING


def test_tables_of_what_was_found_have_a_row_for_each() -> None:
    rows = [Row.of("measures", {"iterations": 9, "measure": name, "ms": 1.5}) for name in ("loss", "binding")]
    page = Page([session(*rows)])
    assert page.found("measures", ["measure"], {"ms": "ms each"}).splitlines()[2:] == [
        "| loss | 1.5 |",
        "| binding | 1.5 |",
    ]
    assert page.found("others", ["measure"], {"ms": "ms each"}).splitlines()[2:] == ["| not measured | not measured |"]


def test_the_newest_row_counts_on_the_processor_of_the_last_session() -> None:
    old = session(row("base", x=1.0), row("small", x=2.0), date="2026-11-28")
    elsewhere = session(row("base", x=3.0), row("large", x=4.0), date="2026-11-29", processor=ZEN | {"model": 1})
    last = session(row("base", x=5.0))
    page = Page.of_newest([old, elsewhere, last])
    assert {each.labels["size"]: each.figures["x"].value for each in page.rows} == {"small": 2.0, "base": 5.0}
    assert page.machine()["sessions"] == "2026-11-28, commit 0123456 (1 rows); 2026-11-30, commit 0123456 (1 rows)"
    assert page.machine()["processor"] == "AMD EPYC (family 26, model 2), 2 cores"
    assert Page.of_record(json.loads(json.dumps(page.record()))).render() == page.render()


@pytest.mark.parametrize(
    ("better", "value", "expected"),
    [("higher", 5.0, "yes"), ("higher", 4.9, "no"), ("lower", 5.0, "yes"), ("lower", 5.1, "no")],
)
def test_targets_are_reached_or_not(better: str, value: float, expected: str) -> None:
    target = Target("speed", "table", {}, "x", 5, better, "ms")  # type: ignore[arg-type]
    assert target.verdict(Figure(value)) == expected
    assert target.verdict(None) == ""
    assert target.limit == f"{'at least' if better == 'higher' else 'at most'} 5 ms"
    assert Target("speed", "table", {}, "x", None, "lower").verdict(Figure(value)) == ""


def test_the_command_writes_the_page_and_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store(tmp_path, "0001", [row("base", **{"JAX x": Figure(6.25, 6.0, 6.5)})], hour=1)
    assert main(["--results", str(tmp_path), "--docs", str(tmp_path)]) == 0
    assert (
        "| base | 8 | not measured | not measured | not measured | not measured | not"
        in (tmp_path / PAGE.name).read_text()
    )
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{tmp_path / PAGE.name}: 1 rows of 1 sessions"
    assert "  not measured: forward only, one core: size base, members 8: % of sgemm" in printed
    assert len(printed) == len(set(printed))


def test_without_sessions_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--results", str(tmp_path), "--docs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"`{tmp_path}` must have sessions of `make bench`; found none.\n"
    assert not (tmp_path / PAGE.name).exists()


def test_every_table_that_the_page_shows_is_reported_by_a_benchmark() -> None:
    """A name that no benchmark reports would be "not measured" for ever."""
    reported = "\n".join(path.read_text() for path in BENCHMARKS.glob("bench_*.py"))
    template = (BENCHMARKS / "performance.md.jinja").read_text()
    tables = {target.table for target in TARGETS} | set(re.findall(r'(?:table|found|figure)\("([^"]+)"', template))
    literal = {table for table in tables if f'"{table}"' in reported}
    assert tables - literal == {"search for a known optimum, 24 seeds"}
    assert 'f"search for a known optimum, {SEEDS} seeds"' in reported
