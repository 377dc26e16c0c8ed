"""What a column holds is declared once and travels with its files to everyone who reads them."""

from __future__ import annotations

import base64
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import badger_sweeps
from badger_sweeps.configuration.builder import plan_of
from badger_sweeps.core.columns import NORMALISED_ERROR, Column, column_of, columns, metric
from badger_sweeps.reporting.page.panels import measures, pairs
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.runs.history import History, read_columns
from badger_sweeps.runs.snapshot_measures import read_measured_columns, write_measures
from badger_sweeps.tracking.workspace import WorkspaceDescription, workspace
from tests import warm
from tests.runs.commands import run

PAIRS = ("00__01", "00__02", "01__02")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("columns") / "run"
    assert run(folder, "training.iterations=30", "measures.every=10", "training.snapshot_every=10").returncode == 0
    return folder


def test_the_file_of_a_run_describes_every_column_as_it_was_declared(folder: Path) -> None:
    """Vectors have the length of their values, which the file has already; all else is kept."""
    declared = plan_of(folder).columns
    found = read_columns(folder)
    assert list(found) == list(declared)
    for name, column in declared.items():
        assert found[name].metadata() == column.metadata()
    assert found["binding/inner"].axis == "inner step"
    assert found["mi/00__01"].per == "pair"
    assert [name for name, column in found.items() if column.every_iteration] == list(plan_of(folder).metrics)


def test_what_is_measured_later_is_described_as_well(folder: Path) -> None:
    done = warm.run([sys.executable, "-m", "badger_sweeps", "measure", str(folder), "gradients", "binding"])
    assert done.returncode == 0, done.stderr
    found = read_measured_columns(folder)
    declared = plan_of(folder).measures.by_name["gradients"].columns(plan_of(folder).experiment)
    assert {name: found[name] for name in declared} == declared
    assert found["binding/outer"].unit == "bits"
    (only,) = gather(folder).runs
    titles = {panel.column.name: panel.column.title for panel in measures.compute([only])}
    assert titles["gradient/cancellation"] == declared["gradient/cancellation"].title


def test_columns_of_before_stay_described_when_others_are_measured(tmp_path: Path) -> None:
    first = columns(Column("a", "First", "bits"), Column("b", "Second"))
    write_measures(tmp_path, pd.DataFrame({"seed": [0], "iteration": [0], "a": [1.0], "b": [2.0]}), {}, first)
    again = columns(Column("b", "Second again", "nats"))
    write_measures(tmp_path, pd.DataFrame({"seed": [0], "iteration": [5], "b": [3.0]}), {}, again)
    found = read_measured_columns(tmp_path)
    assert (found["a"].title, found["a"].unit) == ("First", "bits")
    assert (found["b"].title, found["b"].unit) == ("Second again", "nats")


def test_a_column_that_a_run_goes_on_without_keeps_its_description(tmp_path: Path) -> None:
    described = columns(metric("loss", "Loss"), Column("mi/mean", "Information", "bits"))
    History(tmp_path, described)
    (part,) = (tmp_path / "history.parquet").glob("part-*")
    table = pq.read_table(part)
    row = pa.table({"seed": [0], "iteration": [0], "loss": [1.0], "mi/mean": [0.5]})
    pq.write_table(row.cast(table.schema), part)
    History(tmp_path, columns(metric("loss", "Loss")), keep=1)
    assert read_columns(tmp_path)["mi/mean"] == Column("mi/mean", "Information", "bits")


def test_a_file_without_descriptions_is_read_by_its_names(folder: Path, tmp_path: Path) -> None:
    """As files of before there were any."""
    for part in (folder / "history.parquet").glob("part-*"):
        (tmp_path / "history.parquet").mkdir(exist_ok=True)
        table = pq.read_table(part)
        bare = pa.schema([field.remove_metadata() for field in table.schema])
        pq.write_table(table.cast(bare), tmp_path / "history.parquet" / part.name)
    found, declared = read_columns(tmp_path), read_columns(folder)
    for name, column in declared.items():
        assert (found[name].axis, found[name].every_iteration) == (column.axis, column.every_iteration), name
        assert (found[name].per == "pair") == (column.per == "pair")
        assert found[name].drawn == column.drawn, name
    assert column_of("my/own", None, vector=False).title == "my/own"


def test_a_unit_of_an_earlier_version_is_read_as_todays() -> None:
    """Reports draw the staircase into panels of a normalised error, which earlier files called ``chance = 1``."""
    stored = {b"badger_sweeps": b'{"title": "Loss", "unit": "chance = 1"}'}
    assert column_of("loss", stored, vector=False) == Column("loss", "Loss", NORMALISED_ERROR)


def test_load_has_the_descriptions(folder: Path) -> None:
    frame = badger_sweeps.load(folder).columns().set_index("name")
    assert frame.loc["mi/mean", "unit"] == "bits"
    assert frame.loc["loss", "title"] == "Loss"
    assert bool(frame.loc["loss", "every_iteration"])


def test_a_workspace_has_a_panel_for_what_somebody_else_declares() -> None:
    """Under its title, with its panel's others, and only once for all dimensions."""
    described = columns(
        metric("mine", "My own metric", section="Loss"),
        Column("x/a", "A", section="Between experts", panel="Both"),
        Column("x/b", "B", section="Between experts", panel="Both"),
        *(Column(f"y/{k}", f"Of dimension {k}", per="dimension", section="Loss", panel="All") for k in range(3)),
        metric("schedule/z", "Scheduled value of z", drawn=False),
    )
    made = workspace(WorkspaceDescription("name", "project", "", [], described, [2]))
    shown = {panel.title: panel for section in made.sections for panel in section.panels if hasattr(panel, "title")}
    assert [metric.name if hasattr(metric, "name") else metric for metric in shown["My own metric"].y] == ["mine"]
    assert len(shown["Both"].y) == 2
    assert shown["All"].metric_regex == "^y/.*"
    assert "Scheduled value of z" not in shown


def test_measures_of_pairs_have_a_panel_each_in_a_workspace() -> None:
    described = columns(
        *(
            Column(f"mi/{pair}", "", "bits", per="pair", section="Between experts", panel="Information")
            for pair in PAIRS
        ),
        *(Column(f"their/own/{pair}", "", per="pair", panel="Correlation") for pair in PAIRS),
    )
    made = workspace(WorkspaceDescription("name", "project", "", [], described, [2]))
    shown = {
        section.name: [getattr(panel, "media_keys", None) for panel in section.panels] for section in made.sections
    }
    assert shown["Between experts"] == [["mi_pairs"]]
    assert shown["Further measures"] == [["their/own_pairs"]]


def test_measures_of_pairs_have_a_panel_each_in_a_report(folder: Path, tmp_path: Path) -> None:
    """Each with its own unit and values: information in bits, and another measure, with negative values."""
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    numbers = np.float32([-0.5, 0.25, 1.0])
    values = {f"their/own/{pair}": [number] for pair, number in zip(PAIRS, numbers, strict=True)}
    declared = columns(*(Column(f"their/own/{pair}", "", per="pair", panel="Correlation") for pair in PAIRS))
    write_measures(copy, pd.DataFrame({"seed": [0], "iteration": [10], **values}), {}, declared)
    (before,) = pairs.compute(gather(folder).runs)
    first, second = pairs.compute(gather(copy).runs)
    assert pairs.pictures(first) == pairs.pictures(before)
    content = pairs.pictures(second)
    assert (content["title"], content["unit"], content["least"], content["most"]) == ("Correlation", "", -0.5, 1.0)
    (seed,) = content["seeds"]
    assert (seed["experts"], seed["iterations"]) == (3, [10])
    coded = np.frombuffer(base64.b64decode(seed["values"]), "<u2")
    np.testing.assert_allclose(content["least"] + coded / 1000, numbers, atol=5.1e-4)
