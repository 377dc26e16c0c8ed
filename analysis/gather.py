"""Find the runs below a folder and read what they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from badger_sweeps.runs import summary as summaries
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.provenance import started
from badger_sweeps.runs.summary import Summary


@dataclass(frozen=True)
class FinishedRun:
    """A run with a summary.

    Attributes:
        folder: where it lies.
        label: what it is called; no two runs of a collection share it.
        summary: what became of its seeds.
        config: its resolved configuration, flat.
    """

    folder: Path
    label: str
    summary: Summary
    config: Mapping[str, Any]

    @cached_property
    def history(self) -> pd.DataFrame:
        """All its metrics."""
        return read_history(self.folder)


@dataclass(frozen=True)
class Collection:
    """The runs below a folder, and the folders that could not be used, with the reason."""

    folder: Path
    runs: tuple[FinishedRun, ...]
    left_out: tuple[tuple[str, str], ...]


def gather(folder: Path) -> Collection:
    """Read the finished runs below `folder`, in the order in which they were started."""
    found: list[tuple[str, Path, Summary, dict[str, Any]]] = []
    left_out: list[tuple[str, str]] = []
    for config_file in sorted(folder.rglob(".hydra/config.yaml")):
        run = config_file.parent.parent
        try:
            summary = summaries.read_summary(run)
            config = _flat(OmegaConf.to_container(OmegaConf.load(config_file)))
            start = started(run)
        except FileNotFoundError as error:
            left_out.append((str(run.relative_to(folder)), f"not finished: it has no {Path(error.filename).name}"))
        except (ValueError, KeyError, TypeError) as error:
            left_out.append((str(run.relative_to(folder)), f"damaged: {error}"))
        else:
            found.append((start, run, summary, config))
    found.sort(key=lambda run: run[:2])
    folders = [str(run.relative_to(folder)) for _, run, _, _ in found]
    labels = _labels([summary.name for _, _, summary, _ in found], folders)
    runs = [
        FinishedRun(run, label, summary, config) for label, (_, run, summary, config) in zip(labels, found, strict=True)
    ]
    return Collection(folder, tuple(runs), tuple(left_out))


def _labels(names: Sequence[str], folders: Sequence[str]) -> Sequence[str]:
    """The parts of the runs' names in which they differ; their folders where that does not tell them apart."""
    parts = [name.split(",") for name in names]
    common = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set()
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
