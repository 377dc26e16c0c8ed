"""Building the kernel: without a compiler, with a broken one, by many at once, over what lies in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from badger_sweeps.engines.native import compiler
from badger_sweeps.engines.native.compiler import CannotBuild, build, cache_folder

SIZES = {"CELL": "TwoGates", "HIDDEN": 3, "MESSAGE": 2, "DIMS": 1}
PRINT_ENGINE = """
import torch
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
settings = Training(iterations=2, batch_size=3, inner_steps=2)
members = Population(Experiment(architecture=GRU(hidden=3, message=2), training=settings, seeds=(0,), device="cpu"))
for record in train(members):
    last = float(record.metrics["loss"][0])
print(members.engine_description, "|", round(last, 5))
"""


WITHOUT_HOME = """
import os, torch
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.training.experiment import Experiment
system = Experiment(device="cpu").system
os.environ.pop("HOME", None), os.environ.pop("XDG_CACHE_HOME", None)
os.setuid(54321)
print(Native().resolve(system, torch.device("cpu")).description)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "badger_sweeps"


def start(**environment: str) -> subprocess.Popen[str]:
    """A separate process that trains for two iterations and prints which engine it used."""
    return subprocess.Popen(
        [sys.executable, "-c", PRINT_ENGINE],
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def printed(process: subprocess.Popen[str]) -> tuple[str, float]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err == ""
    description, loss = out.strip().split(" | ")
    assert "\n" not in description
    return description, float(loss)


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
    slow = tmp_path / "slow-g++"
    slow.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) exec g++ --version;; esac\necho building >"$0.started"\nexec sleep 60\n'
    )
    slow.chmod(0o755)
    process = start(CXX=str(slow))
    while not Path(f"{slow}.started").exists():
        assert process.poll() is None
    process.kill()
    process.communicate()
    description, _ = printed(start())
    assert description.startswith("native engine")


def test_without_a_compiler(cache: Path, tmp_path: Path) -> None:
    native = printed(start())
    description, loss = printed(start(PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "other")))
    assert description == "reference engine (PyTorch), since there is no C++ compiler (g++ or clang++) on this machine"
    assert loss == pytest.approx(native[1], abs=1e-4)
    assert not (tmp_path / "other").exists()


def test_with_a_compiler_that_fails(cache: Path, tmp_path: Path) -> None:
    broken = tmp_path / "old-g++"
    broken.write_text('#!/bin/sh\necho "cc1plus: error: no such option" >&2\nexit 1\n')
    broken.chmod(0o755)
    description, _ = printed(start(CXX=str(broken)))
    assert (
        description
        == f"reference engine (PyTorch), since {broken} cannot compile the kernel: cc1plus: error: no such option"
    )
    assert not list(cache.glob("*.so"))


def test_on_a_processor_it_does_not_know(cache: Path) -> None:
    description, _ = printed(start(ATEN_CPU_CAPABILITY="default"))
    assert (
        description
        == "reference engine (PyTorch), since the native engine needs a CPU with AVX2, AVX-512 or NEON; found DEFAULT"
    )


def test_another_march_gives_way_to_the_processor_that_is_here(cache: Path) -> None:
    """As conda's compilers set it."""
    description, _ = printed(start(CXXFLAGS="-march=nocona -mtune=haswell -O2"))
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


def test_without_a_home(tmp_path: Path) -> None:
    """A user whom the system does not know, as containers have them; only root can try."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
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
    (wide, loss), (narrow, other) = printed(start()), printed(start(CXXFLAGS="-mno-avx512f"))
    assert wide.startswith("native engine (AVX")
    assert narrow.startswith("native engine (AVX2, ")
    assert loss == pytest.approx(other, abs=1e-4)


def test_cannot_build_says_why(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CannotBuild, match=r"there is no C\+\+ compiler \(no-such-compiler\)"):
        build(SIZES)
