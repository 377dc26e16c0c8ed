"""Where the claims of standard studies are found: a module for each, by the study's name."""

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
class Claim(Protocol):
    """What `analysis/claims/NAME.py` has for the study NAME.

    A function `remark` of the judged findings may be there, which gives what the verdict adds, in a clause.
    """

    CLAIM: str
    """What the document says."""
    REQUIRED_MEASURES: Sequence[RequiredMeasures]
    """What must be measured from the runs' snapshots, where it was not measured in training."""

    def compute(self, arms: Any) -> Any:
        """What the figure shows, of the study's arms; of a search: of the search."""

    def findings(self, info: Any) -> list[Finding]:
        """What follows for the claim."""

    def draw(self, info: Any) -> Chart:
        """The figure."""


def package() -> str:
    """The package with the claims and all else that belongs to this study alone: `analysis`.

    It lies beside `badger_sweeps` in a checkout, and within it in a wheel, where its name is no one else's.
    """
    within = f"{badger_sweeps.__name__}.analysis"
    return within if find_spec(within) is not None else "analysis"


def module(name: str) -> ModuleType:
    """A module of that package by its dotted name within it: ``replication``, ``claims.l1_loss``."""
    return importlib.import_module(f"{package()}.{name}")


def claim_of(study: str) -> Claim | None:
    """The claim that a study examines; None for a study that examines none."""
    if find_spec(f"{package()}.claims.{study}") is None:
        return None
    return cast(Claim, module(f"claims.{study}"))


def order() -> tuple[str, ...]:
    """The names of the studies that examine the document's claims, by the claims' weight in it."""
    return tuple(module("claims").BY_IMPORTANCE)
