"""The kernel's structs, which Python reads from the kernel: in another order, with other fields, of other types."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm_quantized import LSTMQuantized
from badger_sweeps.engines.base import Pullback
from badger_sweeps.engines.native import compiler
from badger_sweeps.engines.native.engine import Native, _prepare
from badger_sweeps.engines.native.job import Struct
from badger_sweeps.engines.native.library import library
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from tests.shared import Once

from .cases import Case, case, world

Edit = Callable[[Callable[[str], str], str], None]


@pytest.fixture
def edit(tmp_path: Path, once: Once, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Changes the files of a pattern in a copy of the kernel's source, which is what the engine builds from then on.

    Before and after, the compiler does not optimise, which takes half as long.
    """
    source = tmp_path / "kernel"
    shutil.copytree(compiler.SOURCE, source)
    quick = once("quick-compiler", write_quick_compiler)
    monkeypatch.setenv("CXX", str(quick / "g++"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(quick))
    forget()

    def edit(change: Callable[[str], str], pattern: str) -> None:
        for path in source.glob(pattern):
            text = path.read_text()
            path.write_text(change(text))
        monkeypatch.setattr(compiler, "SOURCE", source)
        forget()

    yield edit
    forget()


def write_quick_compiler(folder: Path) -> None:
    """At one place for a whole run of the tests: its path is part of the name of what it has built."""
    (folder / "g++").write_text('#!/bin/sh\nexec g++ "$@" -O0\n')
    (folder / "g++").chmod(0o755)


def forget() -> None:
    library.cache_clear()
    _prepare.cache_clear()


def swapped(one: str, other: str) -> Callable[[str], str]:
    """Exchanges two declarations of a list of fields, each of which is there once."""

    def change(text: str) -> str:
        assert text.count(one) == text.count(other) == 1
        return text.replace(one, "\0").replace(other, one).replace("\0", other)

    return change


def reversed_list(text: str) -> str:
    """All fields of a job in the opposite order."""
    head, rest = text.split("#define JOB(REQUIRED, OPTIONAL)")
    body, tail = rest.split("#define DECLARE(")
    fields = re.findall(r"(?:REQUIRED|OPTIONAL)\([^)]*\)", body)
    return f"{head}#define JOB(REQUIRED, OPTIONAL) {' '.join(reversed(fields))}\n#define DECLARE({tail}"


def played() -> list[Case]:
    """Games in which every field matters: other losses than feedback, bins, initial states, several members."""
    loss, feedback = MeanSquaredError(), MeanAbsoluteError()
    badgers = world(GRU(hidden=5, message=3), loss=loss, feedback=feedback)
    single = world(LSTMQuantized(hidden=5), loss=loss, feedback=feedback)
    return [case(badgers, members=2, games=7, loss_steps=2), case(single, members=3, games=9, experts=1)]


def pullbacks() -> list[Pullback]:
    return [given.on(Native(threads=1)) for given in played()]


@pytest.mark.parametrize(
    ("pattern", "change"),
    [
        ("job.h", reversed_list),
        ("layout.h", swapped("(hidden, H)", "(gates, G)")),
    ],
    ids=["job", "layout"],
)
def test_the_order_of_the_fields_does_not_matter(pattern: str, change: Callable[[str], str], edit: Edit) -> None:
    """To the bit: Python sets and reads every field by name."""
    before = pullbacks()
    edit(change, pattern)
    for found, expected in zip(pullbacks(), before, strict=True):
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("field", "renamed", "message"),
    [
        ("feedback_scale", "other_scale", "the kernel's job has no `feedback_scale`"),
        ("targets", "answers", "the kernel's job has no `targets`"),
        ("guess_bias", "bias_of_guess", "the kernel's layout has no `bias_of_guess`"),
    ],
)
def test_a_name_that_one_side_does_not_know_is_refused(field: str, renamed: str, message: str, edit: Edit) -> None:
    edit(lambda text: re.sub(rf"\b{field}\b", renamed, text), "*")
    with pytest.raises(TypeError, match=message):
        pullbacks()


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("REQUIRED(int repeats)", "the kernel's job requires `repeats`"),
        ("REQUIRED(const float* weather)", "the kernel's job requires `weather`"),
        ("REQUIRED(long weather)", "the kernel declares `long weather`, whose type is not known here"),
    ],
)
def test_a_field_that_is_not_given_is_refused(added: str, message: str, edit: Edit) -> None:
    edit(lambda text: text.replace("REQUIRED(int members)", f"REQUIRED(int members) {added}"), "job.h")
    with pytest.raises(TypeError, match=message):
        pullbacks()


def test_an_array_that_may_be_null_need_not_be_given(edit: Edit) -> None:
    before = pullbacks()
    edit(lambda text: text.replace("REQUIRED(int members)", "REQUIRED(int members) OPTIONAL(float* more)"), "job.h")
    for found, expected in zip(pullbacks(), before, strict=True):
        assert torch.equal(found.gradients, expected.gradients)


def test_a_struct_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a job has 16 bytes in the kernel and 12 here"):
        Struct("job", "int members;float constants[2];", 16)
