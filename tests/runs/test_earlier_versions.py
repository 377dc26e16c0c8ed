"""Runs of earlier versions: other names of classes and keys in their configurations, columns without declarations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import badger_sweeps
from badger_sweeps.configuration import builder
from badger_sweeps.configuration.builder import plan_of
from badger_sweeps.configuration.recorded import configuration
from badger_sweeps.configuration.recorded_columns import recorded_columns
from badger_sweeps.reporting.reading.collection import differing_keys, gather
from badger_sweeps.reporting.remeasure.snapshots import reopened
from badger_sweeps.runs.history import history_parts, read_columns
from tests.runs.commands import run

THEN = {
    "message_ablation.MessageAblation": "silenced.Silenced",
    "sequentiality.Sequentiality": "sequentiality.TakingTurns",
    "adding_experts.AddingExperts": "growth.AddingExperts",
    "message_ablation:": "silenced:",
}
MEASURES = ("every=10", "message_ablation.every=10", "inner_binding.every=10", "adding_experts.every=10")


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "now"
    measures = [f"measures.{key}" for key in MEASURES]
    done = run(folder, "training.iterations=20", "topology.experts=4", "task.dims=2", *measures)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def then(now: Path) -> Path:
    """The same run as an earlier version left it."""
    folder = now.with_name("then")
    shutil.copytree(now, folder)
    path = folder / ".hydra" / "config.yaml"
    text = path.read_text()
    for new, old in THEN.items():
        assert new in text
        text = text.replace(new, old)
    path.write_text(text)
    for part in history_parts(folder):
        table = pq.ParquetFile(part).read()
        names = ["silenced/loss" if name == "message_ablation/loss" else name for name in table.column_names]
        bare = pa.schema([pa.field(name, kind) for name, kind in zip(names, table.schema.types, strict=True)])
        pq.write_table(table.rename_columns(names).cast(bare), part)
    return folder


def test_its_configuration_is_in_todays_words(now: Path, then: Path) -> None:
    assert configuration(then) == configuration(now)
    assert plan_of(then).measures == plan_of(now).measures
    assert reopened(then).measures == reopened(now).measures
    assert plan_of(then).experiment.identity == plan_of(now).experiment.identity
    assert differing_keys(gather(now.parent).runs) == []


def test_its_columns_are_declared(now: Path, then: Path) -> None:
    expected = read_columns(now)
    assert not any(column.declared for column in read_columns(then).values())
    found = recorded_columns(then)
    titles = {name: column.title for name, column in found.items()}
    assert titles.pop("silenced/loss") == expected["message_ablation/loss"].title
    assert titles == {name: column.title for name, column in expected.items() if name in titles}
    for name, column in expected.items():
        if name in found:
            assert (found[name].unit, found[name].axis, found[name].per, found[name].shown, found[name].drawn) == (
                column.unit, column.axis, column.per, column.shown, column.drawn
            )  # fmt: skip


@pytest.mark.parametrize("first", ["now", "then"])
def test_titles_do_not_depend_on_the_order_of_runs(first: str, now: Path, then: Path, tmp_path: Path) -> None:
    both = [now, then] if first == "now" else [then, now]
    for number, source in enumerate(both):
        shutil.copytree(source, tmp_path / str(number))
    titles = badger_sweeps.load(tmp_path).columns().set_index("name")["title"]
    assert titles["mi/mean"] == read_columns(now)["mi/mean"].title
    assert titles["loss"] == read_columns(now)["loss"].title


def test_a_column_that_nothing_declares_is_named_by_its_name(then: Path, tmp_path: Path) -> None:
    """A vector of which nothing is known is not drawn along inner steps."""
    copy = tmp_path / "run"
    shutil.copytree(then, copy)
    for part in history_parts(copy):
        table = pq.ParquetFile(part).read()
        vector = pa.array([[0.5, 1.0]] * len(table), pa.list_(pa.float32()))
        pq.write_table(table.append_column("other/vector", vector), part)
    column = recorded_columns(copy)["other/vector"]
    assert (column.title, column.declared, column.axis) == ("other/vector", False, "position")


def test_a_defect_is_not_taken_for_a_damaged_configuration(now: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "run_name", lambda *_: 1 + "1")
    with pytest.raises(TypeError, match="unsupported operand"):
        plan_of(now)
