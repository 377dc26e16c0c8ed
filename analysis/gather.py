"""Find the runs below a folder and read what they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.provenance import NAME as PROVENANCE
from badger_sweeps.runs.provenance import started
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.runs.summary import Summary, read_summary


@dataclass(frozen=True)
class FinishedRun:
    """A run with a summary.

    Attributes:
        folder: where it lies.
        label: what it is called; no two runs of a collection share it.
        summary: what became of its seeds.
        config: its resolved configuration, flat.
        history: all its metrics.
    """

    folder: Path
    label: str
    summary: Summary
    config: Mapping[str, Any]
    history: pd.DataFrame


@dataclass(frozen=True)
class Collection:
    """The runs below a folder, and the folders that could not be used, with the reason."""

    folder: Path
    runs: tuple[FinishedRun, ...]
    left_out: tuple[tuple[str, str], ...]


def gather(folder: Path) -> Collection:
    """Read the finished runs below `folder`, in the order in which they were started."""
    found: list[FinishedRun] = []
    left_out: list[tuple[str, str]] = []
    for config_file in sorted(folder.rglob(".hydra/config.yaml")):
        run = config_file.parent.parent
        name = str(run.relative_to(folder))
        missing = [file for file in (SUMMARY, HISTORY, PROVENANCE) if not (run / file).exists()]
        if missing:
            left_out.append((name, f"not finished: it has no {missing[0]}"))
            continue
        try:
            found.append(_read(run))
        except (OSError, ValueError, KeyError, TypeError) as error:
            left_out.append((name, f"damaged: {error}"))
    found.sort(key=lambda run: started(run.folder))
    labels = _labels([run.summary.name for run in found], [str(run.folder.relative_to(folder)) for run in found])
    labelled = [replace(run, label=label) for run, label in zip(found, labels, strict=True)]
    return Collection(folder, tuple(labelled), tuple(left_out))


def _read(run: Path) -> FinishedRun:
    summary = read_summary(run)
    config = _flat(OmegaConf.to_container(OmegaConf.load(run / ".hydra" / "config.yaml")))
    started(run)  # refuses a damaged provenance here, where it leaves out this run alone
    return FinishedRun(run, summary.name, summary, config, read_history(run))


def _labels(names: Sequence[str], folders: Sequence[str]) -> Sequence[str]:
    """The parts of the runs' names in which they differ; their folders where that does not tell them apart."""
    parts = [name.split(",") for name in names]
    common = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set(parts[0][1:] if parts else ())
    short = [",".join(part for part in own if part not in common) or own[0] for own in parts]
    return short if len(set(short)) == len(short) else folders


def differing_keys(runs: tuple[FinishedRun, ...]) -> list[str]:
    """The configuration keys in which the runs are not all alike."""
    keys = sorted({key for run in runs for key in run.config})
    return [key for key in keys if len({repr(run.config.get(key, "-")) for run in runs}) > 1]


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    if "_target_" in node:  # a choice: its class is worth more than where the class lies
        node = {**node, "": node["_target_"].rsplit(".", 1)[-1]}
        del node["_target_"]
    return {
        key: value for name, child in node.items() for key, value in _flat(child, f"{prefix}.{name}".strip(".")).items()
    }
