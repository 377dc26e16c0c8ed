"""``badger-sweeps workspace RUNS``: a W&B workspace for the runs below a folder, as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from badger_sweeps.commands.tracked import tracked_below
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import write_json
from badger_sweeps.core.keys import indifferent
from badger_sweeps.runs.run import describe
from badger_sweeps.search.logger import NAME as SEARCH_LOG
from badger_sweeps.search.logger import logged_name
from badger_sweeps.tracking import workspace as workspaces
from badger_sweeps.tracking.wandb import Mode

NAME = "workspace.json"
LEFT_OUT = (*indifferent("name"), "seeds", "measures")
"""Keys that are no parameters of a sweep."""


EXAMPLE = "badger-sweeps workspace runs/quickstart"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("runs", metavar="RUNS", type=Path, help="a folder with runs below it")
    parser.add_argument("--mode", choices=get_args(Mode), default="offline", help="online: make it in W&B, too")


def run(given: argparse.Namespace) -> None:
    """Write the workspace, and online make it in W&B."""
    make(given.runs, given.mode, Console())


def make(folder: Path, mode: Mode, console: Console) -> None:
    """Keep the workspace of a folder's runs there, and online make it, or the one made from here before, in W&B.

    Raises:
        UsageError: there are no runs tracked by W&B, or of several projects; online: W&B cannot be reached.
    """
    made = workspaces.workspace(_study(folder))
    path = folder / NAME
    before = json.loads(path.read_text()) if path.exists() else {}
    known = {key: before.get(key, "") for key in ("name", "id")}
    write_json(path, {**workspaces.as_json(made), **known})
    if mode == "online":
        address = workspaces.push(made, known["name"], known["id"])
        write_json(path, {**workspaces.as_json(made), "url": address})
        said = f"{address} ({path})"
    else:
        said = f"{path}: to have it in W&B, make workspace RUNS={folder} mode=online"
    console.print(said, markup=False, highlight=False, soft_wrap=True)


def _study(folder: Path) -> workspaces.StudyDescription:
    runs = list(tracked_below(folder, "offline"))
    places = sorted({(tracking.entity or "", tracking.project) for _, _, tracking in runs})
    if len(places) > 1:
        found = ", ".join("/".join(filter(None, place)) for place in places)
        raise UsageError(f"`{folder}` must have runs of one W&B project below it; found {found}.")
    described = [describe(planned, 0) for _, planned, _ in runs]
    searches = [logged_name(path.parent) for path in folder.rglob(SEARCH_LOG)]
    ((entity, project),) = places
    return workspaces.StudyDescription(
        name=f"badger_sweeps {folder.resolve().name}",
        project=project,
        entity=entity,
        groups=[*(run.group for run in described), *searches],
        columns={name: column for run in described for name, column in run.columns.items()},
        parts=sorted({planned.staircase.parts for _, planned, _ in runs}),
        swept=_swept([dict(run.config) for run in described]),
        searched=bool(searches),
    )


def _swept(configurations: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The keys in which runs differ, and their values; a key that only some have is compared among those."""
    flat = [dict(_leaves(own)) for own in configurations]
    values = {key: [own[key] for own in flat if key in own] for key in dict.fromkeys(chain(*flat))}
    return {key: own for key, own in values.items() if len({repr(value) for value in own}) > 1}


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values, without those that have no say in results."""
    if prefix in LEFT_OUT:
        return
    if not isinstance(node, dict):
        yield prefix, node
        return
    for name, child in node.items():
        yield from _leaves(child, f"{prefix}.{name}".lstrip("."))
