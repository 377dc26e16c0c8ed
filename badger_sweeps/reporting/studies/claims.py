"""The modules with the claims of the standard studies, found by the study's name."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol, cast, runtime_checkable

import badger_sweeps
from badger_sweeps.reporting.inference.evidence import Finding
from badger_sweeps.reporting.plotting.chart import Chart
from badger_sweeps.reporting.remeasure.required import RequiredMeasures


@runtime_checkable
class ClaimModule(Protocol):
    """The interface of `analysis/claims/NAME.py`, the claim that the study NAME examines.

    A module may also have a function `remark(findings)`: of the judged findings, a clause that is added to the verdict.
    """

    CLAIM: str
    """The claim in the document."""
    REQUIRED_MEASURES: Sequence[RequiredMeasures]
    """The measures that are taken from the runs' snapshots where they were not taken in training."""

    def compute(self, arms: Any) -> Any:
        """The info tuple: all numbers that findings and figure use, from the study's arms, or from its search."""

    def findings(self, info: Any) -> list[Finding]:
        """The parts of the claim, tested but not judged."""

    def draw(self, info: Any) -> Chart:
        """The figure, from the info tuple alone."""


def package() -> str:
    """The name of the package with the document's claims: `analysis`.

    It is a top-level package in a checkout. In a wheel it is a subpackage of `badger_sweeps`, so that its name cannot
    clash with another package.
    """
    within = f"{badger_sweeps.__name__}.analysis"
    return within if find_spec(within) is not None else "analysis"


def module(name: str) -> ModuleType:
    """A module of that package by its dotted name in the package: ``replication``, ``claims.l1_loss``."""
    return importlib.import_module(f"{package()}.{name}")


def claim_of(study: str) -> ClaimModule | None:
    """The claim that a study examines; None for a study that examines none."""
    if find_spec(f"{package()}.claims.{study}") is None:
        return None
    return cast(ClaimModule, module(f"claims.{study}"))


def order() -> tuple[str, ...]:
    """The names of the studies that examine the document's claims, ordered by the importance of the claim."""
    return tuple(module("claims").BY_IMPORTANCE)
