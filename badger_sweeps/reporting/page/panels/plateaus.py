"""The panels of every seed's loss, with shaded plateaus and the levels of the staircase."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.seed_outcome import MeasuredPlateau, SeedOutcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.reporting.page.panels.measures import LOSS_POINTS
from badger_sweeps.reporting.plotting.style import Spec, along, configuration_color, figure_of, level_color, packed
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.runs.history import columns_by_seed

COLUMNS = 4
PANEL_HEIGHT = 210
SPACE = 0.02
"""Between columns, as a share of the figure."""


class PlateausInfo(NamedTuple):
    """The loss curves of one configuration.

    Attributes:
        run: the run's position among the runs.
        staircase: the levels, and the iterations per block.
        outcomes: one for each seed, with its plateaus.
        budget: the run's number of iterations.
        width: number of iterations that each point is the mean of: one block or several.
        iteration: the middle of each point's iterations; empty for a run shorter than a block.
        loss: for each seed, the means of the loss; shorter for a diverged seed.
    """

    run: int
    staircase: Staircase
    outcomes: tuple[SeedOutcome, ...]
    budget: int
    width: int
    iteration: NDArray[np.float64]
    loss: list[NDArray[np.float64]]


def compute(position: int, run: Run) -> PlateausInfo:
    """The loss curves of a run in block means; `position` is the run's position among the runs."""
    staircase, budget = run.summary.staircase, run.summary.budget
    columns = columns_by_seed(run.history[["seed", "iteration", "loss"]])
    several = -(-max(1, budget // staircase.block) // LOSS_POINTS)
    means = [staircase.block_means(columns[outcome.seed]["loss"]) for outcome in run.summary.outcomes]
    loss = [_merged(seed_means, several) for seed_means in means]
    middle = np.asarray((np.arange(max(map(len, loss))) + 0.5) * staircase.block * several, dtype=float)
    return PlateausInfo(position, staircase, run.summary.outcomes, budget, staircase.block * several, middle, loss)


def draw(info: PlateausInfo) -> Spec:
    """A small panel for each seed, with plateaus shaded in the colour of their level."""
    rows = -(-len(info.outcomes) // COLUMNS)
    gap = min(0.12, 0.3 / rows)
    height, width = (1 - gap * (rows - 1)) / rows, (1 - SPACE * (COLUMNS - 1)) / COLUMNS
    highest = max(1.0, *(float(loss[np.isfinite(loss)].max(initial=0)) for loss in info.loss))
    color = configuration_color(info.run)
    traces: list[Spec] = []
    shapes: list[Spec] = []
    titles: list[Spec] = []
    axes: Spec = {}
    for position, (outcome, loss) in enumerate(zip(info.outcomes, info.loss, strict=True)):
        row, column = divmod(position, COLUMNS)
        number = str(position + 1) if position else ""
        axis = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        left, top = column * (width + SPACE), 1 - row * (height + gap)
        last = position + COLUMNS >= len(info.outcomes)
        axes[f"xaxis{number}"] = {
            "anchor": axis["yaxis"], "domain": [left, left + width], "range": [0, info.budget], "matches": "x",
            "nticks": 5, "showticklabels": last, "title": {"text": "iteration" if last else ""},
        }  # fmt: skip
        axes[f"yaxis{number}"] = {
            "anchor": axis["xaxis"], "domain": [max(0.0, top - height), top], "range": [0, 1.05 * highest],
            "matches": "y", "showticklabels": column == 0, "title": {"text": "" if column else "loss"},
        }  # fmt: skip
        if not position:
            axes["xaxis"].pop("matches"), axes["yaxis"].pop("matches")
        titles.append(
            {"text": _title(outcome), "x": left + width / 2, "y": top, "xref": "paper", "yref": "paper",
             "xanchor": "center", "yanchor": "bottom", "showarrow": False}
        )  # fmt: skip
        traces.append(
            {"type": "scatter", "mode": "lines", **along(info.iteration[: len(loss)]), "y": packed(loss),
             "line": {"color": color, "width": 1.5}, "showlegend": False, **axis,
             "hovertemplate": "iteration %{x:.0f}: loss %{y:.3f}<extra></extra>"}
        )  # fmt: skip
        for plateau in outcome.plateaus:
            shapes.append(
                {"type": "rect", "xref": axis["xaxis"], "yref": f"{axis['yaxis']} domain", "x0": plateau.start,
                 "x1": plateau.end, "y0": 0, "y1": 1, "fillcolor": level_color(plateau.staircase_level), "opacity": 0.3,
                 "line": {"width": 0}, "layer": "below"}
            )  # fmt: skip
            traces.append(
                {"type": "scatter", "mode": "markers", "x": [(plateau.start + plateau.end) / 2],
                 "y": [plateau.mean_loss], "marker": {"size": 9, "opacity": 0}, "showlegend": False, **axis,
                 "hovertemplate": _plateau_text(plateau)}
            )  # fmt: skip
        shapes += [
            {"type": "line", "xref": f"{axis['xaxis']} domain", "yref": axis["yaxis"], "x0": 0, "x1": 1, "y0": level,
             "y1": level, "line": {"width": 0.6, "dash": "dot", "color": "gray"}, "layer": "below"}
            for level in info.staircase.levels.tolist()
        ]  # fmt: skip
    return figure_of(traces, 90 + PANEL_HEIGHT * rows, shapes=shapes, annotations=titles, **axes)


def _merged(means: NDArray[np.float64], several: int) -> NDArray[np.float64]:
    """Means of `several` blocks each; an incomplete group at the end is dropped, as an incomplete block is."""
    whole = len(means) // several * several
    return np.asarray(means[:whole].reshape(-1, several).mean(axis=1))


def _title(outcome: SeedOutcome) -> str:
    if outcome.diverged:
        return f"seed {outcome.seed}: diverged at {outcome.iterations - 1}"
    when = "not escaped" if outcome.escape_iteration is None else f"escaped at {outcome.escape_iteration}"
    return f"seed {outcome.seed}: {when}"


def _plateau_text(plateau: MeasuredPlateau) -> str:
    per_dim = ", ".join(f"{value:.2f}" for value in plateau.loss_dim)
    where = f"plateau at level {plateau.staircase_level:.2f}<br>iterations {plateau.start} to {plateau.end}"
    return f"{where}<br>mean loss {plateau.mean_loss:.3f}<br>per dimension: {per_dim}<extra></extra>"
