"""One thread for everybody, a processor to oneself; tables, and a comparison with the last session, at the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Before any of these libraries is loaded, which read them once.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
ALL_CORES = os.sched_getaffinity(0)

import pandas as pd  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from benchmarks.comparing import compare  # noqa: E402
from benchmarks.figures import Row  # noqa: E402
from benchmarks.sessions import Session, described, on_the_same_kind, stored_sessions  # noqa: E402

ROWS: list[Row] = []
COMPARISON: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--unmeasured",
        action="store_true",
        help="leave out benchmarks that an earlier session of this commit, on this kind of processor, has measured",
    )
    parser.addoption("--suite", action="store_true", help="time `make test` as well, which takes many minutes")


def pytest_configure() -> None:
    # Interrupted, pytest still stores what has been measured; terminated, it would not.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("unmeasured"):
        return
    machine = config.hook.pytest_benchmark_generate_machine_info(config=config)
    commit = config.hook.pytest_benchmark_generate_commit_info(config=config)
    sessions = on_the_same_kind(earlier_sessions(config), described(machine)["processor_kind"])
    here = (commit.get("id") or "unknown")[:7]
    done = {name for session in sessions if session.commit == here for name in session.benchmarks}  # not of "here+"
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in done])
    items[:] = [item for item in items if item.nodeid not in done]


def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    machine_info |= described(machine_info)


@pytest.hookimpl(tryfirst=True)
def pytest_benchmark_generate_json(benchmarks: list[object]) -> None:
    """Leave out the benchmark that was interrupted, without which pytest-benchmark stores the others."""
    benchmarks[:] = [benchmark for benchmark in benchmarks if benchmark]


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, object]) -> None:
    COMPARISON[:] = compare(Session.restored(output_json), earlier_sessions(config)).lines


def earlier_sessions(config: pytest.Config) -> list[Session]:
    """The sessions stored so far; pytest-benchmark stores this one after the last hook."""
    return stored_sessions(Path(config.getoption("benchmark_storage").removeprefix("file://")))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Pin the process, and all threads it starts meanwhile, to one core."""
    os.sched_setaffinity(0, {min(ALL_CORES)})
    yield
    os.sched_setaffinity(0, ALL_CORES)


@pytest.fixture
def report(benchmark):
    """Keep a row of a table, for the end and for the JSON file; `Row.of` says what are labels and what figures."""

    def keep(table: str, **cells: object) -> None:
        row = Row.of(table, cells)
        benchmark.extra_info.setdefault("rows", []).append(row.stored())
        ROWS.append(row)

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for table in dict.fromkeys(row.table for row in ROWS):
        terminalreporter.section(table)
        shown = [
            row.labels | {name: str(cell) for name, cell in row.figures.items()} for row in ROWS if row.table == table
        ]
        terminalreporter.write_line(pd.DataFrame(shown).to_string(index=False, na_rep=""))
    if COMPARISON:
        terminalreporter.section("beside the last session on this kind of processor")
        for line in COMPARISON:
            terminalreporter.write_line(line)
