"""One thread for everybody, a processor to oneself, and tables at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before any of these libraries is loaded, which read them once.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
ALL_CORES = os.sched_getaffinity(0)

import pandas as pd  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

TABLES: dict[str, list[dict[str, object]]] = {}


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
    """Keep a row of a table, for the end and for the JSON file."""

    def keep(table: str, **row: object) -> None:
        benchmark.extra_info.setdefault("rows", []).append({"table": table, **row})
        TABLES.setdefault(table, []).append(row)

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for table, rows in TABLES.items():
        terminalreporter.section(table)
        terminalreporter.write_line(pd.DataFrame(rows).to_string(index=False, na_rep="", float_format="{:.4g}".format))
