"""What fell since the last session of the benchmarks, from made-up JSON files as pytest-benchmark stores them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.comparing import Comparison, compare, fell
from benchmarks.figures import Figure, Row, rounded
from benchmarks.sessions import CORES, Session, described, stored_sessions

ZEN = {"name": "AMD EPYC", "family": 26, "model": 2, "cores": 2}


def store(folder: Path, name: str, rows: list[Row], hour: int, processor: dict[str, str | int] = ZEN) -> None:
    """A file of pytest-benchmark, with the fields that are read."""
    stored = {
        "machine_info": {"node": "somewhere", "processor_kind": processor, "versions": {"torch": "2.13.0"}},
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "datetime": f"2026-11-30T{hour:02d}:00:00.000000+00:00",
        "benchmarks": [
            {"fullname": "benchmarks/bench_x.py::test_x", "extra_info": {"rows": [row.stored() for row in rows]}},
            {"fullname": "benchmarks/bench_x.py::test_without_rows", "extra_info": {}},
        ],
    }
    path = folder / "Linux-CPython-3.11-64bit" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(stored))


def row(size: str, **figures: Figure | float) -> Row:
    return Row.of("gradients, one core", {"size": size, "members": 8, **figures})


def last_beside_the_others(folder: Path) -> Comparison:
    *earlier, last = stored_sessions(folder)
    return compare(last, earlier)


def test_a_figure_that_fell_by_more_than_its_spread_is_named(tmp_path: Path) -> None:
    before = [
        row("base", speed=Figure(5.0, 4.9, 5.1, "higher"), memory=Figure(500.0, better="lower"), milliseconds=3.0),
        row("small", speed=Figure(9.0, 8.0, 10.0, "higher")),
        row("large", speed=Figure(3.0, 2.9, 3.1, "higher")),
    ]
    now = [
        row("base", speed=Figure(4.0, 3.9, 4.1, "higher"), memory=Figure(590.0, better="lower"), milliseconds=9.0),
        row("small", speed=Figure(7.5, 7.0, 8.0, "higher")),
        row("large", speed=Figure(4.0, 3.9, 4.1, "higher")),
        row("lstm", speed=Figure(1.0, 0.9, 1.1, "higher")),
    ]
    store(tmp_path, "0001", before, hour=1)
    store(tmp_path, "0002", now, hour=2)
    found = last_beside_the_others(tmp_path)
    assert found.compared == 4
    [fall] = found.falls
    assert (fall.row.labels["size"], fall.figure) == ("base", "speed")
    assert found.lines == [
        "4 figures compared; fell by more than their spread: 1",
        "  gradients, one core: size base, members 8: speed is 4 (3.9 to 4.1), -20 % "
        "(5 (4.9 to 5.1) on 2026-11-30 at 0123456)",
    ]


def test_the_newest_session_that_has_the_row_on_the_same_kind_of_processor_is_compared_with(tmp_path: Path) -> None:
    store(tmp_path, "0004", [row("base", speed=Figure(9.0, 8.9, 9.1, "higher"))], hour=1)
    store(tmp_path, "0003", [row("base", speed=Figure(4.0, 3.9, 4.1, "higher"))], hour=2)
    store(tmp_path, "0002", [row("small", speed=Figure(9.0, 8.9, 9.1, "higher"))], hour=3)
    store(tmp_path, "0001", [row("base", speed=Figure(9.0, 8.9, 9.1, "higher"))], hour=4, processor=ZEN | {"model": 1})
    store(tmp_path, "0005", [row("base", speed=Figure(4.0, 3.9, 4.1, "higher"))], hour=5)
    (tmp_path / "Linux-CPython-3.11-64bit" / "0006.json").write_text('{"cut off')
    found = last_beside_the_others(tmp_path)
    assert (found.compared, found.falls) == (1, ())
    assert found.lines == ["1 figures compared; none fell by more than its spread"]


def test_without_an_earlier_session_nothing_is_compared(tmp_path: Path) -> None:
    store(tmp_path, "0001", [row("base", speed=Figure(9.0, 8.9, 9.1, "higher"))], hour=1)
    found = last_beside_the_others(tmp_path)
    assert found == Comparison(0, ())
    assert found.lines == ["no earlier session on this kind of processor has these figures"]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (Figure(1.0, 0.9, 1.1, "lower"), Figure(1.15, 1.1, 1.2, "lower"), False),
        (Figure(1.0, 0.9, 1.1, "lower"), Figure(1.25, 1.2, 1.3, "lower"), True),
        (Figure(1.0, 0.9, 1.1, "lower"), Figure(1.25, 1.0, 1.5, "lower"), False),  # its own spread is larger
        (Figure(1.0, 0.9, 1.1, "lower"), Figure(0.5, 0.4, 0.6, "lower"), False),  # better
        (Figure(1.0, 0.9, 1.1, "higher"), Figure(0.5, 0.4, 0.6, "higher"), True),
        (Figure(1.0), Figure(9.0), False),  # neither direction is better
        (Figure(100.0, better="lower"), Figure(119.0, better="lower"), False),  # measured once: a fifth
        (Figure(100.0, better="lower"), Figure(126.0, better="lower"), True),
    ],
)
def test_falls(before: Figure, now: Figure, expected: bool) -> None:
    assert fell(before, now) == expected


def test_figures_are_medians_with_quartiles() -> None:
    found = Figure.of([4.0, 1.0, 2.0, 3.0, 5.0], better="lower")
    assert found == Figure(3.0, 2.0, 4.0, "lower")
    assert found.spread == 2.0
    assert found * 2 == Figure(6.0, 4.0, 8.0, "lower")
    assert str(found / 2) == "1.5 (1 to 2)"
    assert Figure.of([7.0]) == Figure(7.0)
    assert str(Figure(7.0)) == "7"
    assert [rounded(value) for value in (12345.6, 999.6, 0.012345, 0.0)] == ["12346", "1000", "0.0123", "0"]


def test_rows_are_stored_with_labels_and_figures_apart() -> None:
    made = Row.of("table", {"size": "base", "members": 8, "speed": Figure(2.0, 1.0, 3.0, "higher"), "ms": 1.5})
    stored = made.stored()
    assert stored == {
        "table": "table",
        "labels": {"size": "base", "members": 8},
        "figures": {"speed": {"value": 2.0, "low": 1.0, "high": 3.0, "better": "higher"}, "ms": {"value": 1.5}},
    }
    assert Row.restored(json.loads(json.dumps(stored))) == made


def test_a_session_names_its_commit_and_what_it_measured() -> None:
    stored = {
        "machine_info": {},
        "commit_info": {"id": "0123456789abcdef", "dirty": True},
        "datetime": "2026-11-30T01:00:00",
        "benchmarks": [
            {"fullname": "a", "extra_info": {"rows": [{"table": "of an earlier version", "x": 1}]}},
            {"fullname": "interrupted", "extra_info": {}},
        ],
    }
    assert Session.restored(stored) == Session("2026-11-30", "0123456+", {}, {}, ("a",), ())


def test_a_session_that_ends_pinned_to_one_core_is_of_the_same_kind() -> None:
    """As one does that is interrupted."""
    cpu = {"brand_raw": "AMD EPYC", "family": 26, "model": 2, "flags": ["avx2"]}
    before, cores = described({"cpu": cpu}), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert described({"cpu": cpu}) == before
    finally:
        os.sched_setaffinity(0, cores)
    assert before["processor_kind"] == {"name": "AMD EPYC", "family": 26, "model": 2, "cores": CORES}
    assert before["versions"].keys() >= {"Python", "torch", "jax", "compiler"}
