"""The workspace as a file, and as a server receives it from the real client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from badger_sweeps.core.names import shortened
from tests import warm
from tests.runs.commands import run
from tests.tracking.servers import KEY, Server

pytestmark = pytest.mark.xdist_group("workspace")  # one worker: their runs are made once

RUNS = {
    "a": ("architecture=exponential", "optimizer.lr=0.001"),
    "b": ("architecture=gru", "optimizer.lr=0.01", "task.dims=2"),
    "c": ("architecture=gru", "optimizer.lr=0.01", "seeds=[7,8]", "task.dims=2"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    for name, overrides in RUNS.items():
        done = run(folder / name, "training.iterations=5", *overrides, tracking="wandb")
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


def workspace(folder: Path, mode: str = "offline", **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "badger_sweeps", "workspace", str(folder), "--mode", mode]
    return warm.run(words, env={**os.environ, **environment})


def kept(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "workspace.json").read_text()))


def panels(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each panel's settings by its title."""
    sections = content["spec"]["section"]["panelBankConfig"]["sections"]
    configs = [panel["config"] for section in sections for panel in section["panels"]]
    return {config.get("chartTitle", "text"): config for config in configs}


def test_panels_show_metrics_by_configuration_with_bands(folder: Path) -> None:
    done = workspace(folder)
    assert done.returncode == 0, done.stderr
    command = f"badger-sweeps workspace {folder} --mode online"
    assert done.stdout == f"{folder}/workspace.json (to send it to W&B: {command})\n"
    shown = panels(kept(folder))
    outer = {name for panel in shown.values() if panel.get("xAxis") == "iteration" for name in panel["metrics"]}
    assert {"loss", "plateau/rung", "evaluation/loss", "mi/mean", "mi/min", "mi/max"} <= outer
    assert {"binding/outer", "binding/outer_given_target", "hurst/dfa", "hurst/rs"} <= outer
    regexes = {panel["metricRegex"]: panel["xAxis"] for panel in shown.values() if "metricRegex" in panel}
    assert regexes == {"^loss_dim/.*": "iteration", "^evaluation/loss_dim/.*": "iteration", "^inner/.*": "inner_step"}
    for panel in shown.values():
        if "xAxis" in panel:
            assert (panel["groupBy"], panel["groupAgg"], panel["groupArea"]) == ("group", "mean", "minmax")
    assert ["loss", "plateau/rung"] in [panel.get("metrics") for panel in shown.values()]
    assert shown["Mutual information of all pairs"]["mediaKeys"] == ["mi_pairs"]
    assert "D = 2: 1, 0.5, 0\n" in shown["text"]["value"]
    assert "D = 4: 1, 0.75, 0.5, 0.25, 0" in shown["text"]["value"]


def test_the_runs_are_those_below_the_folder(folder: Path) -> None:
    """They are selected by their groups' names, whose equals signs the library's own filters would double."""
    assert workspace(folder).returncode == 0
    (runs,) = kept(folder)["spec"]["section"]["runSets"]
    (only,) = runs["filters"]["filters"]
    groups = [json.loads((folder / name / "provenance.json").read_text())["group"] for name in RUNS]
    assert only["key"] == {"section": "run", "name": "group"}
    assert only["value"] == sorted({shortened(group, 128) for group in groups})
    assert len(only["value"]) == 2
    assert "optimizer.lr=0.01" in only["value"][1]
    assert runs["grouping"] == [{"section": "run", "name": "group"}]


def test_the_sweeps_coordinates_are_what_differs_between_runs(folder: Path) -> None:
    assert workspace(folder).returncode == 0
    axes = panels(kept(folder))["What was swept, and the results"]["columns"]
    assert {axis["accessor"]: axis.get("log") for axis in axes} == {
        "config:architecture.value._target_": None,
        "config:optimizer.value.lr": True,
        "config:task.value.dims": None,
        "summary:escape_iteration": None,
        "summary:solved_iteration": None,
        "summary:plateau_iterations": None,
        "summary:final_loss": None,
        "summary:objective": None,
    }


@pytest.mark.slow
def test_without_measures_and_with_one_configuration_there_is_one_section(tmp_path: Path) -> None:
    assert run(tmp_path / "run", "training.iterations=5", "measures=none", tracking="wandb").returncode == 0
    assert workspace(tmp_path).returncode == 0
    sections = kept(tmp_path)["spec"]["section"]["panelBankConfig"]["sections"]
    assert [section["name"] for section in sections] == ["Loss"]


def test_online_the_workspace_is_made_once_and_equals_the_file(folder: Path, server: Server) -> None:
    (folder / "workspace.json").unlink(missing_ok=True)
    account = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    for _ in range(2):
        done = workspace(folder, "online", **account)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        (view,) = server.views.values()
        content = kept(folder)
        assert json.loads(view["spec"]) == content["spec"]
        assert (view["entityName"], view["projectName"]) == ("team", "badger_sweeps")
        assert view["displayName"] == content["displayName"] == f"badger_sweeps {folder.name}"
        assert view["type"] == "project-view"
        assert done.stdout.startswith(content["url"])
        assert content["url"].startswith(f"{server.address}/team/badger_sweeps?nw=")
        assert KEY not in (folder / "workspace.json").read_text() + done.stdout
    assert server.asked.count("UpsertView2") == 2


SLOW = pytest.mark.slow
TROUBLES = [
    "no key",
    *(
        pytest.param(trouble, marks=SLOW)
        for trouble in ("no server", "a server that answers 500", "a key that it refuses")
    ),
]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_without_a_connection_to_w_and_b_the_file_is_written(
    trouble: str, folder: Path, server: Server, tmp_path: Path
) -> None:
    (folder / "workspace.json").unlink(missing_ok=True)
    account = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": "" if trouble == "no key" else KEY}
    account |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    server.status = {"a server that answers 500": 500, "a key that it refuses": 401}.get(trouble, 200)
    if trouble == "no server":
        server.stop()
    done = workspace(folder, "online", **account)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    rule = "`mode` must be one in which W&B can be reached; found online: "
    expected = "W&B needs an API key: run `wandb login` (" if trouble == "no key" else rule
    assert line.startswith(f"badger-sweeps workspace: {expected}")
    assert "loss" in json.dumps(kept(folder))


@pytest.mark.slow
def test_runs_of_two_projects_are_refused(folder: Path, tmp_path: Path) -> None:
    for project in ("one", "two"):
        overrides = ("training.iterations=2", "measures=none", f"tracking.project={project}")
        assert run(tmp_path / project, *overrides, tracking="wandb").returncode == 0
    done = workspace(tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"badger-sweeps workspace: `{tmp_path}` must have runs of one W&B project below it; found one, two.\n"
    )
    assert not (tmp_path / "workspace.json").exists()
