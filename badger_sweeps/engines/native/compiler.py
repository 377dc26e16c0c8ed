"""Builds the kernel where it runs: once per source, sizes, compiler and processor, in the user's cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from filelock import FileLock

SOURCE = Path(__file__).parent / "kernel"
# Never -ffast-math: it breaks the range reduction of the exponential, and with it the gradients.
FLAGS = ("-std=c++20", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", "-pthread")


class CannotBuild(Exception):
    """The kernel cannot be built on this machine; the message says why, in one line."""


def cache_folder() -> Path:
    """Where built kernels are kept: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "badger_sweeps"


def build(sizes: Mapping[str, str | int]) -> Path:
    """The shared library of the kernel for `sizes` (the macros that the source expects), built if it is not there.

    Several processes may call this at once: one builds, the others wait, and none reads an unfinished file. The
    compiler is ``CXX`` if that is set (with its arguments), else g++ or clang++; ``CXXFLAGS`` are added to its flags.

    Raises:
        CannotBuild: there is no compiler, none compiles the source, or the folder cannot be written to.
    """
    candidates = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]
    compilers = [command for command in map(shlex.split, candidates) if shutil.which(command[0])]
    if not compilers:
        raise CannotBuild(f"there is no C++ compiler ({' or '.join(candidates)}) on this machine")
    extra = os.environ.get("CXXFLAGS", "")
    # The user's flags come first, so that FLAGS override their -march (conda sets one) by this processor.
    flags = [*shlex.split(extra), *FLAGS, *(f"-D{name}={value}" for name, value in sorted(sizes.items()))]
    errors = []
    for compiler in compilers:
        try:
            return _built(compiler, flags)
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if "error" in line] or error.stderr.splitlines()
            name = shlex.join(compiler) + (f" with CXXFLAGS={extra!r}" if extra else "")
            errors.append(f"{name} cannot compile the kernel: {lines[0] if lines else error}")
        except OSError as error:
            where = f"with `{shlex.join(compiler)}` in `{cache_folder()}`"
            raise CannotBuild(f"the kernel cannot be built {where}: {error.strerror or error}") from error
    raise CannotBuild(errors[0])


def _built(compiler: list[str], flags: list[str]) -> Path:
    source = {path.name: path.read_text() for path in sorted(SOURCE.iterdir()) if path.suffix in (".cpp", ".h")}
    key = hashlib.sha256("\0".join([*source.values(), _version(tuple(compiler)), _processor(), *flags]).encode())
    library = cache_folder() / f"rollout-{key.hexdigest()[:24]}.so"
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(library.with_suffix(".lock")):
        if not library.exists():
            with tempfile.TemporaryDirectory(dir=library.parent) as folder:
                for name, text in source.items():  # that was hashed; the files may have changed
                    (Path(folder) / name).write_text(text)
                unfinished = Path(folder) / library.name
                command = [*compiler, *flags, str(Path(folder) / "rollout.cpp"), "-o", str(unfinished)]
                subprocess.run(command, check=True, capture_output=True, text=True)
                with unfinished.open("rb") as file:
                    os.fsync(file.fileno())  # loading a library that a power cut has truncated would kill the process
                unfinished.replace(library)
    return library


@cache
def _version(compiler: tuple[str, ...]) -> str:
    answer = subprocess.run([*compiler, "--version"], capture_output=True, text=True)
    return f"{shlex.join(compiler)} {answer.stdout}"


@cache
def _processor() -> str:
    """The processor that -march=native compiles for: machines that share a home may differ in it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
