"""Tables on terminals of any width."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from badger_sweeps.tracking.tables import print_rows

COLUMNS = ("configuration", "escaped", "restricted mean", "final loss")
ROWS = [
    ["gru", "6/8", "226 [190, 264]", "0.82 [0.77, 0.89]"],
    ["exponential", "8/8", "54 [42, 68]", "0.72 [0.66, 0.75]"],
]


def printed(width: int, columns: tuple[str, ...] = COLUMNS, rows: list[list[str]] = ROWS) -> list[str]:
    out = io.StringIO()
    print_rows(Console(file=out, width=width), columns, rows)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_is_a_table_that_breaks_between_words_alone(width: int) -> None:
    lines = printed(width)
    assert all(len(line) <= width for line in lines)
    shown = {word for line in lines for word in line.split()}
    assert {word for row in ROWS for cell in row for word in cell.split()} <= shown
    assert "configuration" in shown
    assert not any(line.startswith("  escaped: ") for line in lines)


@pytest.mark.parametrize(("width", "shown"), [(30, ["226 [190,", "    264]"]), (59, ["226 [190, 264]"])])
def test_below_60_columns_it_is_a_list_whose_long_lines_are_indented(width: int, shown: list[str]) -> None:
    first, *others = shown
    assert printed(width)[: 3 + len(others)] == ["gru", "  escaped: 6/8", f"  restricted mean: {first}", *others]


def test_a_table_whose_words_do_not_fit_is_a_list() -> None:
    lines = printed(70, ("a", "b"), [["x" * 40, "y" * 40]])
    assert lines[:2] == ["x" * 40, f"  b: {'y' * 40}"]


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
cells = st.lists(words, min_size=1, max_size=4).map(" ".join)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=4), st.integers(60, 120))
def test_no_word_is_ever_cut_and_no_line_too_long(rows: list[tuple[str, ...]], width: int) -> None:
    lines = printed(width, ("first", "second", "third"), [list(row) for row in rows])
    assert all(len(line) <= width for line in lines)
    shown = " ".join(lines).split()
    for word in {word for row in rows for cell in row for word in cell.split()}:
        assert word in shown
