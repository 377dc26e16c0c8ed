"""What `pip install badger_sweeps` puts on the disk, beside what it did while today's extras were required."""

from __future__ import annotations

import re
from importlib import metadata

import pytest

from benchmarks.figures import Figure

PACKAGE = "badger_sweeps"
ONCE_REQUIRED = ("cagrad", "dashboard", "studies")
"""Extras with what used to be required of everybody. lifelines and statsmodels were too, which tests alone need now."""
DEVELOPMENT = ("lifelines", "statsmodels")


def required(name: str, extras: tuple[str, ...] = ()) -> set[str]:
    """The names of a distribution and of all that it requires here, directly or not."""
    from packaging.requirements import Requirement

    found, open_ = set[tuple[str, str]](), [(canonical(name), extra) for extra in ("", *extras)]
    while open_:
        of, extra = open_.pop()
        if (of, extra) in found:
            continue
        found.add((of, extra))
        for requirement in map(Requirement, metadata.requires(of) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                open_ += [(canonical(requirement.name), each) for each in ("", *requirement.extras)]
    return {of for of, _ in found}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def megabytes(names: set[str]) -> float:
    """The size of the files of these distributions, in MB of 10^6 bytes."""
    return sum(file.locate().stat().st_size for name in names for file in metadata.files(name) or ()
               if file.locate().exists()) / 1e6  # fmt: skip


def test_installation(benchmark, report) -> None:
    """Without extras, and with all that was required before they were extras; with and without PyTorch."""
    try:
        without = required(PACKAGE)
        before = required(PACKAGE, ONCE_REQUIRED).union(*map(required, DEVELOPMENT))
    except metadata.PackageNotFoundError as missing:
        pytest.skip(f"an extra is not installed: {missing.name}")
    sizes = benchmark.pedantic(lambda: [megabytes(names) for names in (without, before)], rounds=1, iterations=1)
    torch = megabytes({"torch"})
    for what, (now, then) in {"all": sizes, "all but PyTorch": [size - torch for size in sizes]}.items():
        report(
            "installation without extras",
            counted=what,
            **{"packages": float(len(without)), "MB": Figure(now, better="lower"), "MB before": then},
            **{"saved, %": Figure(100 * (1 - now / then), better="higher")},
        )
