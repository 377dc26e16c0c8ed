"""Ray interference in two dimensions: the flows of reinforcement and supervised learning, with runs drawn over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.figure_factory as ff
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from badger_sweeps.measures.landscape.rays import Field, Learning, Trajectory, field, trajectory
from badger_sweeps.reporting.plotting.style import apply_to, configuration_color
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.runs.history import columns_by_seed

POINTS = 201
"""Grid points of the flow along each axis; streamlines are drawn from every fifth."""
STARTS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Values of J_1 and of J_2 at which trajectories start."""
KINDS: dict[Learning, str] = {"rl": "reinforcement learning", "supervised": "supervised learning"}
DIMS = 2


class Rays(NamedTuple):
    """Flow and trajectories of one kind of learning."""

    title: str
    field: Field
    trajectories: list[Trajectory]


class SeedPath(NamedTuple):
    """One seed of a run with two dimensions: block means of J_d = 1 - the normalised error of dimension d."""

    run: str
    seed: int
    j: NDArray[np.float64]


def compute() -> list[Rays]:
    """The flow and the trajectories of both kinds of learning."""
    starts = [(first, second) for first in STARTS for second in STARTS]
    return [
        Rays(title, field(POINTS, learning), [trajectory(start, learning, points=120) for start in starts])
        for learning, title in KINDS.items()
    ]


def paths(runs: tuple[Run, ...]) -> list[SeedPath]:
    """The paths of all seeds of the runs with two dimensions."""
    found = []
    for run in runs:
        if run.config.get("task.dims") != DIMS:
            continue
        for seed, columns in columns_by_seed(run.history).items():
            errors = np.stack([columns[f"loss_dim/{dim}"] for dim in range(DIMS)], axis=1)
            found.append(SeedPath(run.label, seed, 1 - run.summary.staircase.block_means(errors)))
    return found


def draw(rays: list[Rays], overlay: list[SeedPath]) -> go.Figure:
    """The figure: streamlines, winner-takes-all regions (shaded), trajectories from a grid, and runs (thick)."""
    figure = make_subplots(1, len(rays), subplot_titles=[kind.title for kind in rays], horizontal_spacing=0.08)
    for column, kind in enumerate(rays, start=1):
        place = {"row": 1, "col": column}
        j, flow = kind.field.j, kind.field
        figure.add_heatmap(
            x=j, y=j, z=np.where(flow.suppressed > 0, 1.0, np.nan), colorscale=[[0, "#f3d9b1"], [1, "#f3d9b1"]],
            showscale=False, hoverinfo="skip", opacity=0.8, **place,
        )  # fmt: skip
        inside = slice(1, -1, 5)  # in the corners the velocity is 0, where Plotly cannot draw streamlines
        speeds = (flow.velocity_1[inside, inside], flow.velocity_2[inside, inside])
        stream = ff.create_streamline(j[inside], j[inside], *speeds, density=0.9, arrow_scale=0.025)
        for trace in stream.data:
            trace.update(line={"color": "#9aa5b1", "width": 0.8}, hoverinfo="skip", showlegend=False)
            figure.add_trace(trace, **place)
        for number, toy in enumerate(kind.trajectories):
            figure.add_scatter(
                x=toy.j[:, 0], y=toy.j[:, 1], mode="lines", line={"color": "#222", "width": 1.2},
                name="trajectory of the toy system", legendgroup="toy", showlegend=column == 1 and number == 0,
                hovertemplate="J1 %{x:.2f}, J2 %{y:.2f}<extra></extra>", **place,
            )  # fmt: skip
        names = list(dict.fromkeys(path.run for path in overlay))
        for number, path in enumerate(overlay):
            first = path.run not in {before.run for before in overlay[:number]}
            color = configuration_color(names.index(path.run) + 3)
            figure.add_scatter(
                x=path.j[:, 0], y=path.j[:, 1], mode="lines", line={"color": color, "width": 2},
                name=path.run, legendgroup=path.run, showlegend=column == 1 and first,
                hovertemplate=f"seed {path.seed}: J1 %{{x:.2f}}, J2 %{{y:.2f}}<extra></extra>", **place,
            )  # fmt: skip
    figure.update_xaxes(title="J₁", range=[-0.02, 1.02], constrain="domain")
    figure.update_yaxes(title="J₂", range=[-0.02, 1.02])
    for column in range(1, len(rays) + 1):
        figure.update_yaxes(scaleanchor=f"x{column if column > 1 else ''}", row=1, col=column)
    figure.update_layout(legend={"orientation": "h", "y": -0.15})
    return apply_to(figure, height=600)
