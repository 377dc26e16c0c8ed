"""The numbers that figures are computed from, and that pages contain exactly these numbers."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.reporting.inference.comparison import differences
from badger_sweeps.reporting.page.panels import differences as differences_figure
from badger_sweeps.reporting.page.panels import escape, graphs, measures, pairs, plateaus, sparkline
from badger_sweeps.reporting.plotting.style import along, packed, plain, to_json
from badger_sweeps.reporting.reading.collection import gather


def unpacked(spec: Any) -> np.ndarray:
    return np.frombuffer(base64.b64decode(spec["bdata"]), dtype=np.dtype(f"<{spec['dtype']}"))


def test_points_are_means_of_equally_many_values() -> None:
    values = np.arange(10.0)
    merged, size = measures.bin_means(values, 4)
    assert (merged.tolist(), size) == ([1.0, 4.0, 7.0, 9.0], 3)  # the last of what is left
    assert measures.bin_means(values, 10)[1] == 1
    two, _ = measures.bin_means(np.array([[1.0, np.nan, np.nan, np.nan], [2.0, 4.0, 6.0, 8.0]]), 2)
    np.testing.assert_array_equal(two, [[1, np.nan], [3, 7]])


def test_a_curve_holds_the_means_of_the_history_and_a_bold_line_their_median(study: Path) -> None:
    runs = gather(study).runs
    panel = next(panel for panel in measures.compute(runs) if panel.column.name == "loss")
    curve = panel.curves[1]
    table = runs[1].history.pivot(index="seed", columns="iteration", values="loss").to_numpy(dtype=float)
    size = curve.merged
    assert size >= runs[1].summary.staircase.block  # never finer than the blocks that distinguish levels
    assert curve.values[3, 2] == pytest.approx(table[3, 2 * size : 3 * size].mean())
    assert curve.x[2] == 2 * size + (size - 1) / 2
    assert f"mean of {size} consecutive values" in panel.note
    drawn = measures.draw(panel)["data"]
    assert len(drawn) == 2 * (8 + 1)
    bold = unpacked(drawn[-1]["y"])
    np.testing.assert_allclose(bold, np.median(curve.values, axis=0), rtol=1e-6)


def test_even_distances_are_stored_as_two_numbers_and_others_one_by_one() -> None:
    assert along([3.0, 5, 7]) == {"x0": 3, "dx": 2}
    assert unpacked(along([0.0, 1, 5])["x"]).tolist() == [0, 1, 5]
    assert unpacked(packed([1.5, np.nan])).tolist()[0] == 1.5


def test_markup_and_templates_of_names_are_text() -> None:
    assert plain("<b>%{x}</b>") == "&lt;b&gt;%&#123;x}&lt;/b&gt;"


def test_pairs_in_the_page_are_those_of_the_history_to_a_thousandth(study: Path) -> None:
    runs = gather(study).runs
    (panel,) = pairs.compute(runs)
    content = pairs.pictures(panel)
    assert (content["title"], content["unit"], content["least"]) == ("Mutual information of all pairs", "bits", 0)
    assert content["every"] == 1
    assert len(content["seeds"]) == 16
    known = runs[1].all_measures
    names = sorted(name for name in known if re.fullmatch(r"mi/\d\d__\d\d", name))
    fifth = next(seed for seed in content["seeds"] if (seed["run"], seed["seed"]) == (1, 5))
    values = unpacked({"dtype": "u2", "bdata": fifth["values"]}).reshape(len(fifth["iterations"]), len(names)) / 1000
    expected = known.xs(5, level="seed")[names].dropna()
    assert fifth["iterations"] == expected.index.tolist()
    np.testing.assert_allclose(values, expected.to_numpy(), atol=5.1e-4)
    assert content["most"] >= values.max() - 5e-4


def test_too_many_measurements_of_pairs_are_thinned_from_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([[0.1], [np.nan], [0.3], [0.4], [0.5], [0.6], [70]])
    panel = pairs.PairPanel("Information", "bits", [pairs.Pairs(0, "a", 0, 2, np.arange(7), values)])
    monkeypatch.setattr(pairs, "MOST", 3)
    content = pairs.pictures(panel)
    assert content["every"] == 3
    assert content["seeds"][0]["iterations"] == [0, 3, 6]
    coded = unpacked({"dtype": "u2", "bdata": content["seeds"][0]["values"]})
    assert coded.tolist() == [100, 400, 65534]  # 70 bits would not fit; 65535 stands for no value
    monkeypatch.setattr(pairs, "MOST", 7)
    whole = unpacked({"dtype": "u2", "bdata": pairs.pictures(panel)["seeds"][0]["values"]})
    assert whole[1] == 65535


def test_graphs_are_those_of_the_runs(study: Path) -> None:
    runs = gather(study).runs
    recorded = json.loads((runs[0].folder / "topology.json").read_text())
    shown = [graph for graph in graphs.compute(runs) if graph.run == 0]
    assert [graph.seed for graph in shown] == list(range(8))
    assert [list(map(list, graph.pairs)) for graph in shown] == [graph["pairs"] for graph in recorded]


def test_a_sparkline_falls_from_chance_to_zero(study: Path) -> None:
    run = gather(study).runs[0]
    history = run.history.assign(loss=1 - run.history["iteration"] / 240)
    median = sparkline.compute(history)
    assert len(median) == sparkline.POINTS
    drawn = sparkline.draw(median)
    points = [tuple(map(float, point.split(","))) for point in drawn.split('points="')[1].split('"')[0].split()]
    assert points[0][0] == 1
    assert points[-1][0] == sparkline.WIDTH - 1
    ys = [y for _, y in points]
    assert ys == sorted(ys)
    assert ys[0] == pytest.approx(1, abs=0.3)
    assert ys[-1] == pytest.approx(sparkline.HEIGHT - 1, abs=0.3)
    assert sparkline.draw(None) == ""
    assert sparkline.of_run(study / "nowhere") is None


def test_a_run_shorter_than_a_block_is_drawn(study: Path) -> None:
    run = gather(study).runs[0]
    long_block = replace(run, summary=replace(run.summary, staircase=Staircase(4, 1000)))
    figure = plateaus.draw(plateaus.compute(0, long_block))
    assert figure["layout"]["xaxis"]["range"] == [0, 240]
    assert measures.compute([long_block])[0].curves[0].values.shape == (8, 1)


def test_values_of_the_plateau_panels_and_the_survival_curve(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = gather(study).runs[0]
    info = plateaus.compute(0, run)
    loss = run.history.loc[run.history["seed"] == 0, "loss"].to_numpy(dtype=float)
    block = run.summary.staircase.block
    assert info.width == block
    assert info.iteration[:2].tolist() == [block / 2, 3 * block / 2]
    assert info.loss[0][1] == pytest.approx(loss[block : 2 * block].mean())
    monkeypatch.setattr(plateaus, "LOSS_POINTS", 240 // block // 3)
    coarse = plateaus.compute(0, run)
    assert coarse.width >= 3 * block
    assert coarse.loss[0][1] == pytest.approx(loss[coarse.width : 2 * coarse.width].mean())
    (curve, *_) = escape.compute([run])
    escaped = sum(outcome.escape_iteration is not None for outcome in run.summary.outcomes)
    assert curve.curve.surviving[-1] == pytest.approx(1 - escaped / 8)


def test_an_infinite_loss_does_not_prevent_a_figure(study: Path) -> None:
    """JSON has no Infinity, so a page with one could not be parsed."""
    run = gather(study).runs[0]
    history = run.history.copy()
    history.loc[(history["seed"] == 2) & (history["iteration"] == 239), "loss"] = np.inf
    wild = replace(run, history=history)
    figure = plateaus.draw(plateaus.compute(0, wild))
    assert np.isfinite(figure["layout"]["yaxis"]["range"]).all()
    assert json.loads(to_json(figure))["layout"]["height"] > 0
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"data": [], "layout": {"height": float("inf")}})


def test_a_panel_notes_the_iterations_of_inner_loops(study: Path) -> None:
    runs = gather(study).runs
    for name in ("binding/inner", "binding/inner_given_target"):
        assert name not in {panel.column.name for panel in measures.compute(runs)}  # measured before training alone
    later = runs[0].history.copy()
    first = later["iteration"] == 0
    vectors = later.loc[first, "binding/inner"].tolist()
    changed = []
    for run, last in zip(runs, (100, 200), strict=True):
        history = run.history.copy()
        at = history.index[history["iteration"] == last]
        history.loc[at, "binding/inner"] = pd.Series(vectors, index=at)
        changed.append(replace(run, history=history))
    panel = next(panel for panel in measures.compute(changed) if panel.column.name == "binding/inner")
    assert [curve.at for curve in panel.curves] == [100, 200]
    assert panel.note == "At iteration 100 or 200, the last measured."


def test_points_of_paired_differences_are_the_seeds(study: Path) -> None:
    runs = gather(study).runs
    (compared,) = differences_figure.compute(runs, differences(runs))["escape_iteration"]
    times = [[outcome.escape_iteration or 240 for outcome in run.summary.outcomes] for run in runs]
    assert compared.values.tolist() == [second - first for first, second in zip(*times, strict=True)]
    seeds, mean = differences_figure.draw([compared], "iterations")["data"]
    assert unpacked(seeds["x"]).tolist() == compared.values.tolist()
    assert seeds["customdata"] == list(range(8))
    assert mean["x"] == [pytest.approx(compared.values.mean())]
