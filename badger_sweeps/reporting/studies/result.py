"""The result of a standard study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from badger_sweeps.reporting.inference.evidence import Finding, Verdict
from badger_sweeps.reporting.plotting.chart import Chart


@dataclass(frozen=True)
class StudyResult:
    """The result of a standard study that was evaluated.

    Attributes:
        name: as in `conf/study`.
        quick: whether its runs are of the quick scale.
        folder: of its runs.
        claim: the claim in the document.
        findings: the claim's parts, judged.
        verdict: on the claim.
        chart: the figure.
        seeds: of its runs.
        code: versions of the code that computed its runs (`provenance.computing_version`).
        shared: by run, the run that it was taken over from.
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
        """The command line that runs the study."""
        return f"badger-sweeps study {self.name}{' scale=quick' if self.quick else ''}"
