"""What a study found of its claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from badger_sweeps.reporting.inference.evidence import Finding, Verdict
from badger_sweeps.reporting.plotting.chart import Chart


@dataclass(frozen=True)
class StudyResult:
    """A study that was evaluated.

    Attributes:
        name: as in `conf/study`.
        quick: whether its runs are of the quick scale.
        folder: its runs'.
        claim: what the document says.
        findings: the claim's parts, judged.
        verdict: what they come to.
        chart: the figure.
        seeds: of its runs.
        code: that decided the numbers of its runs (`provenance.computing_version`).
        shared: run, and where it was taken over from.
    """

    name: str
    quick: bool
    folder: Path
    claim: str
    findings: Sequence[Finding]
    verdict: Verdict
    chart: Chart
    seeds: Sequence[int]
    code: Sequence[str]
    shared: Mapping[str, str]

    @property
    def command(self) -> str:
        """What one types to run it."""
        return f"make study-{self.name}{' scale=quick' if self.quick else ''}"
