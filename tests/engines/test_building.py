"""Building the kernel: without a compiler, with a broken one, by many at once, over what lies in the cache."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import pytest
import torch

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.engines.native import compiler
from badger_sweeps.engines.native.compiler import CannotBuild, build, cache_folder
from badger_sweeps.engines.native.engine import Native, _prepare
from badger_sweeps.engines.native.library import library
from badger_sweeps.training import loop
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.population import Population
from tests.search.commands import ended, forked, wait_until

SIZES = {"CELL": "TwoGates", "HIDDEN": 3, "MESSAGE": 2, "DIMS": 1}
SYSTEM_COMPILER = {"CXX": ""}
"""For `start`: g++ or clang++ with the flags that users get, rather than one that compiles quickly."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, filled by a compiler that does not optimise: half as long for what is tested here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(script(tmp_path / "quick-g++", 'exec g++ "$@" -O0')))
    return tmp_path / "cache" / "badger_sweeps"


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def train() -> str:
    """Trains for two iterations; gives the engine it used and the loss."""
    settings = Training(iterations=2, batch_size=3, inner_steps=2)
    experiment = Experiment(architecture=GRU(hidden=3, message=2), training=settings, seeds=(0,), device="cpu")
    members = Population(experiment)
    *_, last = loop.train(members)
    return f"{members.engine_description} | {last.metrics['loss'][0]:.5f}"


def resolve_without_home() -> str:
    system = Experiment(device="cpu").system
    os.environ.pop("HOME", None)
    os.environ.pop("XDG_CACHE_HOME", None)
    os.setuid(54321)
    return Native().resolve(system, torch.device("cpu")).description


class Started(NamedTuple):
    """A process, and what it writes."""

    pid: int
    out: IO[str]
    error: IO[str]


def start(work: Callable[[], str] = train, **environment: str) -> Started:
    """A process that has loaded no library yet, forked from this one; it prints what the function gives."""
    out, error = (TemporaryFile("w+") for _ in range(2))  # noqa: SIM115 - `said` closes them

    def begin() -> None:
        for stream, file in enumerate((out, error), start=1):
            os.dup2(file.fileno(), stream)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        os.environ.update(environment)
        library.cache_clear()
        _prepare.cache_clear()
        os.write(1, work().encode())

    return Started(forked(begin), out, error)


def printed(started: Started) -> tuple[str, float]:
    """The engine that a process of `train` has used, and its loss."""
    description, loss = said(started).split(" | ")
    assert "\n" not in description
    return description, float(loss)


def said(started: Started) -> str:
    status = ended(started.pid)
    texts = []
    for file in (started.out, started.error):
        file.seek(0)
        texts.append(file.read())
        file.close()
    assert (status, texts[1]) == (0, "")
    return texts[0]


def test_built_once_and_kept(cache: Path) -> None:
    library = build(SIZES)
    assert library.parent == cache == cache_folder()
    built = library.stat().st_mtime_ns
    assert build(SIZES) == library
    assert library.stat().st_mtime_ns == built
    assert build({**SIZES, "HIDDEN": 4}) != library


def test_two_processes_at_once(cache: Path) -> None:
    """Both run natively, with the same result; one library is left and nothing unfinished."""
    results = [printed(process) for process in [start(), start(), start()]]
    assert all(description.startswith("native engine") for description, _ in results)
    assert len({loss for _, loss in results}) == 1
    assert sorted(path.suffix for path in cache.iterdir()) == [".lock", ".so"]


def test_a_builder_that_is_killed_leaves_no_lock_and_no_half_library(cache: Path, tmp_path: Path) -> None:
    text = 'case "$*" in *--version*) exec g++ --version;; esac\necho building >"$0.started"\nexec sleep 60'
    slow = script(tmp_path / "slow-g++", text)
    process = start(CXX=str(slow))
    wait_until(Path(f"{slow}.started").exists)
    os.kill(process.pid, signal.SIGKILL)
    assert ended(process.pid) == -signal.SIGKILL
    description, _ = printed(start())
    assert description.startswith("native engine")


def test_without_a_compiler(cache: Path, tmp_path: Path) -> None:
    native = printed(start())
    description, loss = printed(start(**SYSTEM_COMPILER, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "other")))
    assert description == "reference engine (PyTorch), since there is no C++ compiler (g++ or clang++) on this machine"
    assert loss == pytest.approx(native[1], abs=1e-4)
    assert not (tmp_path / "other").exists()


def test_with_a_compiler_that_fails(cache: Path, tmp_path: Path) -> None:
    broken = script(tmp_path / "old-g++", 'echo "cc1plus: error: no such option" >&2; exit 1')
    description, _ = printed(start(CXX=str(broken)))
    assert (
        description
        == f"reference engine (PyTorch), since {broken} cannot compile the kernel: cc1plus: error: no such option"
    )
    assert not list(cache.glob("*.so"))


def test_on_a_processor_it_does_not_know(cache: Path) -> None:
    program = "from tests.engines.test_building import train; print(train())"  # started anew: PyTorch looks once
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split(" | ")[0] == (
        "reference engine (PyTorch), since the native engine needs a CPU with AVX2, AVX-512 or NEON; found DEFAULT"
    )


def test_another_march_gives_way_to_the_processor_that_is_here(cache: Path) -> None:
    """As conda's compilers set it."""
    description, _ = printed(start(**SYSTEM_COMPILER, CXXFLAGS="-march=nocona -mtune=haswell -O2"))
    assert description.startswith("native engine (AVX")


def test_flags_that_no_compiler_takes(cache: Path) -> None:
    description, _ = printed(start(CXXFLAGS="--no-such-flag", CXX="g++"))
    assert description.startswith("reference engine (PyTorch), since g++ with CXXFLAGS='--no-such-flag' cannot compile")


def test_a_changed_source_is_another_library(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within one process: what is built under a name is what the name was made from."""
    source = tmp_path / "kernel"
    shutil.copytree(compiler.SOURCE, source)
    monkeypatch.setattr(compiler, "SOURCE", source)
    before = build(SIZES)
    with (source / "cells.h").open("a") as file:
        file.write("// changed\n")
    assert build(SIZES) != before


def test_without_a_home() -> None:
    """A user whom the system does not know, as containers have them; only root can try."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    assert said(start(resolve_without_home)).startswith(
        "reference engine (PyTorch), since the kernel cannot be loaded: Could not determine home"
    )


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    description, _ = printed(start(XDG_CACHE_HOME=str(occupied)))
    assert description.startswith(
        f"reference engine (PyTorch), since the kernel cannot be built with `g++` in `{occupied}/badger_sweeps`: "
    )


@pytest.mark.parametrize("content", [pytest.param(b"", marks=pytest.mark.slow), b"not a library"])
def test_a_damaged_library_is_built_again(cache: Path, content: bytes) -> None:
    printed(start())
    (library,) = cache.glob("*.so")
    whole = library.read_bytes()
    library.write_bytes(content)
    description, _ = printed(start())
    assert description.startswith("native engine")
    assert len(library.read_bytes()) == len(whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["g++", "clang++"])
@pytest.mark.parametrize("flags", ["", "-mno-avx512f"])
def test_every_compiler_and_vector_width(name: str, flags: str, cache: Path) -> None:
    """All comparisons with float64, with what `make test` does not build with."""
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")
    environment = {**os.environ, "CXX": name, "CXXFLAGS": flags}
    tests = [str(Path(__file__).parent / name) for name in ("test_gradients.py", "test_native.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout


@pytest.mark.slow
def test_narrow_vectors(cache: Path) -> None:
    """With AVX2, where half a vector is 16 bytes: also what does not start at a multiple of a vector is read whole."""
    (wide, loss), (narrow, other) = (
        printed(start(**SYSTEM_COMPILER, CXXFLAGS=flags)) for flags in ("", "-mno-avx512f")
    )
    assert wide.startswith("native engine (AVX")
    assert narrow.startswith("native engine (AVX2, ")
    assert loss == pytest.approx(other, abs=1e-4)


def test_cannot_build_says_why(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CannotBuild, match=r"there is no C\+\+ compiler \(no-such-compiler\)"):
        build(SIZES)
