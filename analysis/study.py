"""``python -m analysis.study RUNS``: measure what a study still needs, judge its claim, and build figure and report."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import Progress

from analysis import report
from analysis.arms import Arm, MissingError
from analysis.chart import Chart
from analysis.evidence import UNDECIDED, Finding, Verdict, judged, verdict
from analysis.figures import paper
from analysis.gather import Collection, gather
from analysis.needs import Need, take
from analysis.source import MULTIRUN
from analysis.wording import finding_cells
from badger_sweeps.foundations.errors import UsageError
from badger_sweeps.measures.unmeasurable import tell_in_one_line
from badger_sweeps.runs.provenance import NAME as PROVENANCE
from badger_sweeps.runs.provenance import computing_version

FIGURE = "figure.png"
"""The study's figure, in its folder."""
MAY_DIFFER = ("study", "scale", "reuse", "tracking", "engine", "device", "seeds")
"""Keys that the command line may set without making another study of it."""


class StudyModule(Protocol):
    """What `analysis/figures/NAME.py` has for the study NAME.

    `NEEDS` may be missing: nothing is needed then. A function `remark` of the judged findings may be there, which gives
    what the verdict adds, in a clause.
    """

    CLAIM: str
    NEEDS: Sequence[Need]

    def compute(self, arms: Any) -> Any:
        """What the figure shows, of the study's arms; of a search: of the search."""

    def findings(self, info: Any) -> list[Finding]:
        """What follows for the claim."""

    def draw(self, info: Any) -> Chart:
        """The figure."""


@dataclass(frozen=True)
class Study:
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


def module_of(name: str) -> StudyModule | None:
    """The figure of a study; None for a study that examines no claim."""
    if find_spec(f"analysis.figures.{name}") is None:
        return None
    module = importlib.import_module(f"analysis.figures.{name}")
    return cast(StudyModule, module) if hasattr(module, "CLAIM") else None


def study_of(folder: Path) -> tuple[str, DictConfig] | None:
    """The name and the configuration of the study whose runs a folder holds; None if it holds none."""
    path = folder / MULTIRUN
    if not path.exists():
        return None
    config = cast(DictConfig, OmegaConf.load(path))
    name = OmegaConf.select(config, "hydra.runtime.choices.study")
    return None if name is None else (str(name), config)


def measure(collection: Collection, needs: Sequence[Need], progress: Progress) -> bool:
    """Measure what is missing; gives whether anything was."""
    taken = [take(run, needs, progress) for run in collection.runs]
    return any(taken)


def evaluate(folder: Path, collection: Collection) -> Study:
    """Judge the claim by what the runs left.

    Raises:
        UsageError: there is no study, an arm is not finished, or what is needed was not measured.
    """
    found = study_of(folder)
    module = module_of(found[0]) if found else None
    if found is None or module is None:
        raise UsageError(f"`{folder}` must hold the runs of a study with a claim; found none.")
    name, config = found
    try:
        info = module.compute(_arms(folder, collection, config))
        findings, chart = judged(module.findings(info)), module.draw(info)
    except MissingError as error:
        raise UsageError(f"`{folder}` must have everything measured that {name} needs; found: {error}.") from None
    quick, changed = config.scale == "quick", _changed(config)
    standard = quick or not changed
    runs = [run for run in collection.runs if not run.searched] or list(collection.runs)
    shared = {run.folder.name: origin for run in runs if (origin := _origin(run.folder))}
    return Study(
        name=name,
        quick=quick,
        folder=folder,
        claim=module.CLAIM,
        findings=findings,
        verdict=reached(module, findings, quick) if standard else Verdict(UNDECIDED, _not_standard(changed)),
        chart=chart,
        seeds=sorted({outcome.seed for run in runs for outcome in run.summary.outcomes}),
        code=sorted({computing_version(run.folder) for run in runs}),
        shared=shared,
    )


def reached(module: StudyModule, findings: Sequence[Finding], quick: bool) -> Verdict:
    """The verdict on judged findings, with what the study adds to it; the quick scale decides nothing."""
    remark = getattr(module, "remark", None)
    found = verdict(findings, quick)
    return found if quick or remark is None else replace(found, remark=remark(findings))


def _arms(folder: Path, collection: Collection, config: DictConfig) -> Any:
    """The arms by name, in the study's order; of a search the search."""
    names = OmegaConf.select(config, "hydra.sweeper.arms")
    if names is None:
        if collection.search is None:
            raise UsageError(f"`{folder}` must hold a search; found none.")
        return collection.search
    finished = {run.folder.name: run for run in collection.runs}
    if missing := [str(name) for name in names if name not in finished]:
        rule = "must have all arms of the study finished"
        raise UsageError(f"`{folder}` {rule}; found no finished {', '.join(missing)}. The same command goes on.")
    arms = {str(name): Arm(str(name), finished[name]) for name in names}
    for name, arm in arms.items():
        budget = (names[name] or {}).get("training.iterations", config.training.iterations)
        if arm.budget != budget:
            raise UsageError(f"`{folder}` must have {budget} iterations in {name}; found {arm.budget}.")
    if len({tuple(arm.seeds) for arm in arms.values()}) > 1:
        raise UsageError(f"`{folder}` must have the same seeds in all arms; found different ones.")
    return arms


def _changed(config: DictConfig) -> list[str]:
    """What the command line changed of the study: overrides of keys that make it another one."""
    overrides = [str(own) for own in OmegaConf.select(config, "hydra.overrides.task") or ()]
    return [own for own in overrides if own.lstrip("+~").partition("=")[0].partition(".")[0] not in MAY_DIFFER]


def _not_standard(changed: Sequence[str]) -> str:
    return f"it was not run at its standard settings ({', '.join(changed)})"


def _origin(run: Path) -> str | None:
    origin = json.loads((run / PROVENANCE).read_text()).get("taken_over_from")
    return None if origin is None else str(Path(*Path(origin).parts[-2:]))


def print_study(study: Study, console: Console) -> None:
    """Print the claim, what was found of its parts, and the verdict."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    say(f"\nThe claim: {study.claim}")
    for finding in study.findings:
        cells = finding_cells(finding)
        say(f"  {cells[-1]:<8} {cells[0]}: {'; '.join(cell for cell in cells[1:-1] if cell != '-')}")
    say(f"Verdict: {study.verdict}")
    for run, origin in study.shared.items():
        say(f"{run} is the run of {origin}: same configuration, same code")


def main() -> None:
    """Exit status 2 where there is no study, or not all of it."""
    parser = argparse.ArgumentParser(prog="python -m analysis.study", description=__doc__.split(": ", 1)[1])
    parser.add_argument("runs", type=Path, help="the folder of a standard study")
    folder = parser.parse_args().runs
    tell_in_one_line()
    console = Console()
    found = study_of(folder)
    module = module_of(found[0]) if found else None
    try:
        if module is None:
            report.make(folder, console)
            return
        collection = gather(folder)
        with Progress(console=console, disable=not console.is_terminal) as progress:
            if measure(collection, getattr(module, "NEEDS", ()), progress):
                collection = gather(folder)
        study = evaluate(folder, collection)
        paper.write(study.chart, folder / FIGURE)
        report.make(folder, console, study, collection)
        print_study(study, console)
    except UsageError as error:
        print(f"analysis.study: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    console.print(f"figure: {os.path.relpath(folder / FIGURE)}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
