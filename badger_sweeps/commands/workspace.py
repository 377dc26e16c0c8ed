"""``badger-sweeps workspace RUNS``: make a W&B workspace for the runs below a folder, as JSON."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from badger_sweeps.commands.command import typed_path
from badger_sweeps.commands.tracked import tracked_below
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import read_json, write_json
from badger_sweeps.core.keys import indifferent, without
from badger_sweeps.runs.run import describe
from badger_sweeps.search.logger import SEARCH_FILE, logged_name
from badger_sweeps.tracking import workspace as workspaces
from badger_sweeps.tracking.wandb_connection import Mode

WORKSPACE_FILE = "workspace.json"
EXAMPLE = "badger-sweeps workspace runs/quickstart"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("runs", metavar="RUNS", type=typed_path, help="a folder with runs below it")
    parser.add_argument("--mode", choices=get_args(Mode), default="offline", help="online: also send it to W&B")


def run(options: argparse.Namespace) -> None:
    """Write the workspace, and in mode online send it to W&B."""
    make(options.runs, options.mode, Console())


def make(folder: Path, mode: Mode, console: Console) -> None:
    """Write the workspace of a folder's runs into the folder, and in mode online send it to W&B.

    A workspace that was sent to W&B from this folder before is replaced there.

    Raises:
        UsageError: W&B tracks no run below the folder, or they are of several projects; online: W&B cannot be reached.
    """
    made = workspaces.workspace(_described(folder))
    path = folder / WORKSPACE_FILE
    before = read_json(path) if path.exists() else {}
    known = {key: before.get(key, "") for key in ("name", "id")}
    write_json(path, {**workspaces.as_json(made), **known})
    if mode == "online":
        address = workspaces.push(made, known["name"], known["id"])
        write_json(path, {**workspaces.as_json(made), "url": address})
        line = f"{address} ({path})"
    else:
        command = ["badger-sweeps", "workspace", str(folder), "--mode", "online"]
        line = f"{path} (to send it to W&B: {shlex.join(command)})"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _described(folder: Path) -> workspaces.WorkspaceDescription:
    runs = list(tracked_below(folder, "offline"))
    projects = sorted({(tracking.entity or "", tracking.project) for _, _, tracking in runs})
    if len(projects) > 1:
        found = ", ".join("/".join(filter(None, names)) for names in projects)
        raise UsageError(f"`{folder}` must have runs of one W&B project below it; found {found}.")
    described = [describe(planned, 0) for _, planned, _ in runs]
    searches = [logged_name(path.parent) for path in folder.rglob(SEARCH_FILE)]
    ((entity, project),) = projects
    return workspaces.WorkspaceDescription(
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
    """The keys in which runs differ, and their values; a key that some runs lack is compared among the others."""
    flat = [parameters(configuration) for configuration in configurations]
    by_key = {key: [values[key] for values in flat if key in values] for key in dict.fromkeys(chain(*flat))}
    return {key: values for key, values in by_key.items() if len(set(map(repr, values))) > 1}


def parameters(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The keys by which the runs of a sweep are compared, dotted, with the values in a run's configuration."""
    return dict(_leaves(without(configuration, indifferent("parameter"))))


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values."""
    if not isinstance(node, dict):
        yield prefix, node
        return
    for name, child in node.items():
        yield from _leaves(child, f"{prefix}.{name}".lstrip("."))
