"""A chart holds what is drawn, and both drawings of it hold the same."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badger_sweeps.reporting.plotting import matplotlib_backend, plotly_backend
from badger_sweeps.reporting.plotting.chart import GREY, Area, Chart, Dots, Level, Line, Panel, groups, seeds, thinned
from badger_sweeps.reporting.plotting.style import to_json
from badger_sweeps.reporting.reading.arms import Curve

CHART = Chart(
    [
        Panel(
            "first", "x", "y", [Area([0, 1], [0, 0], [1, 2], 1, "range"), Line([0, 1], [3, 4], 0, "line", dashed=True)]
        ),
        Panel("log", "x", "y", [Level(100.0, "hundred"), Dots([1.0], [10.0], 2, "dot", [5.0], [20.0])], y_log=True),
        Panel("names", "", "y", [Level(1.0, "up", upright=True), Line([0], [1], GREY)], ticks=["a", "<b>"]),
    ],
    "caption",
)


def unpacked(spec: Any) -> list[float]:
    values: list[float] = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=np.dtype(f"<{spec['dtype']}")).tolist()
    return values


def test_plotly_has_every_mark_in_its_panel() -> None:
    made = json.loads(to_json(plotly_backend.draw(CHART)))
    low, high, line, dot, grey = made["data"]
    assert (unpacked(low["y"]), unpacked(high["y"]), high["fill"]) == ([0, 0], [1, 2], "tonexty")
    assert (unpacked(line["y"]), line["line"]["dash"], line["yaxis"]) == ([3, 4], "dash", "y")
    assert (dot["error_y"]["array"], dot["error_y"]["arrayminus"], dot["yaxis"]) == ([10.0], [5.0], "y2")
    assert grey["line"]["color"] == "rgb(125,125,125)"
    assert [trace["showlegend"] for trace in made["data"]] == [False, True, True, True, False]
    layout = made["layout"]
    assert layout["yaxis2"]["type"] == "log"
    assert layout["xaxis3"]["ticktext"] == ["a", "&lt;b&gt;"]
    words = {each["text"]: each for each in layout["annotations"]}
    assert words["hundred"]["y"] == 2.0  # on logarithmic axes annotations are placed by the logarithm, shapes are not
    assert next(shape for shape in layout["shapes"] if shape["yref"] == "y2")["y0"] == 100.0


def test_a_name_stands_in_the_legend_once() -> None:
    twice = Chart([Panel("", "x", "y", [Line([0], [1], 0, "a")]), Panel("", "x", "y", [Line([0], [2], 0, "a")])], "")
    assert [trace["showlegend"] for trace in plotly_backend.draw(twice)["data"]] == [True, False]


def test_the_same_chart_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        matplotlib_backend.write(CHART, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_long_curves_are_means_of_equally_many_points() -> None:
    curve = thinned(Curve(np.arange(1000.0), np.tile(np.arange(1000.0), (2, 1))))
    assert len(curve.x) == 333
    assert curve.x[0] == 1.0
    assert curve.y[1, 1] == 4.0
    short = Curve(np.arange(3.0), np.zeros((1, 3)))
    np.testing.assert_array_equal(thinned(short).x, short.x)


def test_the_median_is_of_the_seeds_that_are_left() -> None:
    curve = Curve(np.arange(2.0), np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, np.nan]]))
    *thin, bold = seeds(curve, 0, "arm")
    assert len(thin) == 3
    assert isinstance(bold, Line)
    assert np.asarray(bold.y).tolist() == [2.0, 5.0]


def test_groups_show_every_seed_and_the_mean() -> None:
    dots, centre = groups([[1.0, 2, 3, 4, 5, 6, 7, np.nan, 12]], ["arm"])
    assert isinstance(dots, Dots)
    assert isinstance(centre, Dots)
    assert len(np.asarray(dots.y)) == 8
    assert np.asarray(centre.y).tolist() == [5.0]
    assert np.asarray(centre.low)[0] < 5 < np.asarray(centre.high)[0]
    assert groups([[np.nan]], ["nothing"]) == []


@pytest.mark.parametrize("columns", [1, 3])
def test_panels_do_not_overlap(columns: int) -> None:
    layout = plotly_backend.draw(Chart([Panel(str(n), "x", "y") for n in range(5)], "", columns))["layout"]
    places = [(layout[f"xaxis{n or ''}"]["domain"], layout[f"yaxis{n or ''}"]["domain"]) for n in [None, 2, 3, 4, 5]]
    for one, (x, y) in enumerate(places):
        assert 0 <= x[0] < x[1] <= 1 + 1e-9
        assert 0 <= y[0] < y[1] <= 1 + 1e-9
        for other_x, other_y in places[:one]:
            assert x[0] >= other_x[1] or x[1] <= other_x[0] or y[0] >= other_y[1] or y[1] <= other_y[0]
