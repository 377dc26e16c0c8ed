"""Evaluation of a standard study: the verdict on its claim, from the runs in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.progress import Progress

from badger_sweeps.configuration.recorded import MULTIRUN, recorded_multirun
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import read_json
from badger_sweeps.core.keys import decides
from badger_sweeps.reporting.inference.evidence import UNDECIDED, Finding, Verdict, judge_findings, verdict
from badger_sweeps.reporting.reading.arms import Arm, MissingError
from badger_sweeps.reporting.reading.collection import Collection
from badger_sweeps.reporting.remeasure.required import RequiredMeasures, measure_missing
from badger_sweeps.reporting.studies.claims import ClaimModule, claim_of
from badger_sweeps.reporting.studies.result import StudyResult
from badger_sweeps.runs.provenance import PROVENANCE_FILE, computing_version


def study_of(folder: Path) -> tuple[str, DictConfig] | None:
    """The name and the configuration of the standard study whose runs are in a folder; None if there is none.

    Raises:
        UsageError: the file with the configuration is damaged.
    """
    if not (folder / MULTIRUN).exists():
        return None
    config = recorded_multirun(folder)
    name = OmegaConf.select(config, "hydra.runtime.choices.study")
    return None if name is None else (str(name), config)


def measure(collection: Collection, required: Sequence[RequiredMeasures], progress: Progress) -> bool:
    """Take the required measures that are missing; returns whether any was."""
    taken = [measure_missing(run, required, progress) for run in collection.runs]
    return any(taken)


def evaluate(folder: Path, collection: Collection) -> StudyResult:
    """The result of a study, from its finished runs.

    Raises:
        UsageError: there is no study, an arm is not finished, or a required measure was not taken.
    """
    found = study_of(folder)
    module = claim_of(found[0]) if found else None
    if found is None or module is None:
        raise UsageError(f"`{folder}` must hold the runs of a study with a claim; found none.")
    name, config = found
    try:
        info = module.compute(_arms(folder, collection, config))
        findings, chart = judge_findings(module.findings(info)), module.draw(info)
    except MissingError as error:
        raise UsageError(f"`{folder}` must have everything measured that {name} needs; found: {error}.") from None
    quick, changed = config.scale == "quick", overrides_of_another_study(_typed(config))
    standard = quick or not changed
    runs = [run for run in collection.runs if not run.searched] or list(collection.runs)
    shared = {run.folder.name: origin for run in runs if (origin := _origin(run.folder))}
    return StudyResult(
        name=name,
        quick=quick,
        folder=folder,
        claim=module.CLAIM,
        findings=findings,
        verdict=verdict_with_remark(module, findings, quick)
        if standard
        else Verdict(UNDECIDED, _not_standard(changed)),
        chart=chart,
        seeds=sorted({outcome.seed for run in runs for outcome in run.summary.outcomes}),
        code=sorted({computing_version(run.folder) for run in runs}),
        shared=shared,
    )


def verdict_with_remark(module: ClaimModule, findings: Sequence[Finding], quick: bool) -> Verdict:
    """The verdict on judged findings, with the remark of the study; the quick scale decides nothing."""
    remark = getattr(module, "remark", None)
    found = verdict(findings, quick)
    return found if quick or remark is None else replace(found, remark=remark(findings))


def _arms(folder: Path, collection: Collection, config: DictConfig) -> Any:
    """The arms by name, in the order of the study's configuration; for a study by search, the search."""
    names = OmegaConf.select(config, "hydra.sweeper.arms")
    if names is None:
        if collection.search is None:
            raise UsageError(f"`{folder}` must hold a search; found none.")
        return collection.search
    finished = {run.folder.name: run for run in collection.runs}
    if missing := [str(name) for name in names if name not in finished]:
        rule = "must have all arms of the study finished"
        raise UsageError(f"`{folder}` {rule}; found no finished {', '.join(missing)}. The same command continues.")
    arms = {str(name): Arm(str(name), finished[name]) for name in names}
    for name, arm in arms.items():
        budget = (names[name] or {}).get("training.iterations", config.training.iterations)
        if arm.budget != budget:
            raise UsageError(f"`{folder}` must have {budget} iterations in {name}; found {arm.budget}.")
    if len({tuple(arm.seeds) for arm in arms.values()}) > 1:
        raise UsageError(f"`{folder}` must have the same seeds in all arms; found different ones.")
    return arms


def overrides_of_another_study(overrides: Sequence[str]) -> list[str]:
    """The overrides that make another study of a standard one."""
    return [override for override in overrides if decides(override.lstrip("+~").partition("=")[0]).study]


def _typed(config: DictConfig) -> list[str]:
    """The overrides of the command line."""
    return [str(override) for override in OmegaConf.select(config, "hydra.overrides.task") or ()]


def _not_standard(changed: Sequence[str]) -> str:
    return f"it was not run at its standard settings ({', '.join(changed)})"


def _origin(run: Path) -> str | None:
    origin = read_json(run / PROVENANCE_FILE).get("taken_over_from")
    return None if origin is None else str(Path(*Path(origin).parts[-2:]))
