"""Commands as users type them: the first row of a run, `make quickstart`, and the project's own tests."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.bench_sweeper import wait_for_rows
from benchmarks.figures import Figure

ROOT = Path(__file__).parent.parent
STARTS = 5


def test_first_row_of_a_run(tmp_path: Path, benchmark, report) -> None:
    """From the command to the first row of history of one run at all defaults; files are in memory by then."""

    def first_row(folder: Path) -> float:
        words = [sys.executable, "-m", "badger_sweeps", f"hydra.run.dir={folder}", "tracking=disabled"]
        started = time.time()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=outside())
        try:
            return wait_for_rows(folder, process) - started
        finally:
            process.kill()
            process.wait()

    def starts() -> list[float]:
        return [first_row(tmp_path / str(number)) for number in range(STARTS + 1)]

    seconds = benchmark.pedantic(starts, rounds=1, iterations=1)
    report("commands", command="a run, to its first row of history", **{"s": Figure.of(seconds[1:], better="lower")})


def test_quickstart(tmp_path: Path, benchmark, report) -> None:
    """The commands of `make quickstart` in an empty folder, without the installation."""
    commands = [
        ("study=quickstart",),
        ("report", "runs/quickstart"),
        ("study=shorten_plateaus", "scale=quick"),
        ("report", "runs/shorten_plateaus_quick"),
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"$(BADGER) {' '.join(command)}\n" in makefile for command in commands), "`make quickstart` has changed"

    def quickstart() -> float:
        started = time.perf_counter()
        for command in commands:
            words = [sys.executable, "-m", "badger_sweeps", *command]
            subprocess.run(words, check=True, capture_output=True, cwd=tmp_path, env=outside())
        return time.perf_counter() - started

    seconds = benchmark.pedantic(quickstart, rounds=1, iterations=1)
    report("commands", command="make quickstart, without installation", **{"s": Figure(seconds, better="lower")})


def test_suite(pytestconfig: pytest.Config, benchmark, report) -> None:
    """`make test`: minutes by the clock, and of all of its processes' computing."""
    if not pytestconfig.getoption("suite"):
        pytest.skip("takes many minutes; --suite times it")
    words = [sys.executable, "-m", "pytest", "--numprocesses", "auto", "--dist", "loadgroup", "-m", "not slow", "-q"]

    def suite() -> tuple[float, float]:
        started, computed = time.perf_counter(), computing()
        subprocess.run(words, check=True, capture_output=True, cwd=ROOT, env=outside())
        return (time.perf_counter() - started) / 60, (computing() - computed) / 60

    minutes, computing_minutes = benchmark.pedantic(suite, rounds=1, iterations=1)
    report(
        "commands",
        command="make test",
        **{"min": Figure(minutes, better="lower"), "CPU-min": Figure(computing_minutes, better="lower")},
    )


def computing() -> float:
    """Seconds of computing by processes that this one has started and that have ended, and by theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def outside() -> dict[str, str]:
    """The environment of a user's shell: without the settings of the benchmarks' own process."""
    ours = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "JAX_PLATFORMS", "PYTEST_CURRENT_TEST"}
    return {name: value for name, value in os.environ.items() if name not in ours}
