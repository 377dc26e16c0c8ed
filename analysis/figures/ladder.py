"""Every seed's loss curve, with its plateaus shaded and the rungs of the ladder drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from analysis.figures.style import apply_to, configuration_color, rung_color
from analysis.gather import FinishedRun
from badger_sweeps.measures.ladder import Ladder
from badger_sweeps.measures.outcome import Outcome
from badger_sweeps.runs.history import columns_by_seed

COLUMNS = 4
PANEL_HEIGHT = 210
RUNG_LINE = {"width": 0.6, "dash": "dot", "color": "gray"}


class LadderInfo(NamedTuple):
    """One configuration's curves.

    Attributes:
        label: its run.
        ladder: rungs, and the iterations per block.
        outcomes: one for each seed, with its plateaus.
        budget: the run's iterations.
        iteration: the middle of each block; there is none in a run shorter than a block.
        loss: block means of each seed's loss; a diverged seed's are fewer.
    """

    label: str
    ladder: Ladder
    outcomes: tuple[Outcome, ...]
    budget: int
    iteration: NDArray[np.floating]
    loss: list[NDArray[np.float64]]


def compute(run: FinishedRun) -> LadderInfo:
    """Block means of every seed."""
    ladder = run.summary.ladder
    columns = columns_by_seed(run.history)
    loss = [ladder.block_means(columns[outcome.seed]["loss"]) for outcome in run.summary.outcomes]
    blocks = max(len(curve) for curve in loss)
    middle = (np.arange(blocks) + 0.5) * ladder.block
    return LadderInfo(run.label, ladder, run.summary.outcomes, run.summary.budget, middle, loss)


def draw(info: LadderInfo) -> go.Figure:
    """A small panel for each seed; plateaus are shaded in the colour of their rung."""
    rows = -(-len(info.outcomes) // COLUMNS)
    figure = make_subplots(
        rows, COLUMNS, shared_xaxes=True, shared_yaxes=True, horizontal_spacing=0.02,
        vertical_spacing=min(0.12, 0.3 / rows), subplot_titles=[_title(outcome) for outcome in info.outcomes],
    )  # fmt: skip
    for position, (outcome, loss) in enumerate(zip(info.outcomes, info.loss, strict=True)):
        place = {"row": position // COLUMNS + 1, "col": position % COLUMNS + 1}
        figure.add_scatter(
            x=info.iteration[: len(loss)],
            y=loss,
            mode="lines",
            line={"color": "#222", "width": 1.3},
            hovertemplate="iteration %{x:.0f}: loss %{y:.3f}<extra></extra>",
            showlegend=False,
            **place,
        )
        for rest in outcome.rests:
            plateau = rest.plateau
            figure.add_vrect(
                x0=plateau.start,
                x1=plateau.end,
                fillcolor=rung_color(plateau.rung),
                opacity=0.3,
                line_width=0,
                layer="below",
                **place,
            )
            figure.add_scatter(
                x=[(plateau.start + plateau.end) / 2],
                y=[plateau.level],
                mode="markers",
                marker={"size": 9, "opacity": 0},
                hovertemplate=_plateau_words(rest.loss_dim, plateau.rung, plateau.start, plateau.end, plateau.level),
                showlegend=False,
                **place,
            )
        for rung in info.ladder.rungs:
            figure.add_hline(y=rung, line=RUNG_LINE, layer="below", **place)
    highest = max(1.0, *(float(np.nanmax(loss, initial=0)) for loss in info.loss))
    figure.update_yaxes(range=[0, 1.05 * highest])
    figure.update_yaxes(title="loss", col=1)
    figure.update_xaxes(range=[0, info.budget])
    figure.update_xaxes(title="iteration", row=rows)
    return apply_to(figure, height=90 + PANEL_HEIGHT * rows)


def draw_all(infos: Sequence[LadderInfo]) -> go.Figure:
    """All seeds of all configurations in one panel."""
    figure = go.Figure()
    for position, info in enumerate(infos):
        for number, (outcome, loss) in enumerate(zip(info.outcomes, info.loss, strict=True)):
            figure.add_scatter(
                x=info.iteration[: len(loss)],
                y=loss,
                mode="lines",
                line={"color": configuration_color(position), "width": 1.2},
                opacity=0.75,
                name=info.label,
                legendgroup=info.label,
                showlegend=number == 0,
                hovertemplate=f"seed {outcome.seed}, iteration %{{x:.0f}}: loss %{{y:.3f}}",
            )
    for rung in sorted({rung for info in infos for rung in info.ladder.rungs.tolist()}):
        figure.add_hline(y=rung, line=RUNG_LINE, layer="below")
    figure.update_yaxes(title="loss (chance = 1)", rangemode="tozero")
    figure.update_xaxes(title="iteration")
    return apply_to(figure, height=420)


def _title(outcome: Outcome) -> str:
    if outcome.diverged:
        return f"seed {outcome.seed}: diverged at {outcome.iterations - 1}"
    when = "not escaped" if outcome.escape_iteration is None else f"escaped at {outcome.escape_iteration}"
    return f"seed {outcome.seed}: {when}"


def _plateau_words(loss_dim: Sequence[float], rung: float, start: int, end: int, level: float) -> str:
    per_dim = ", ".join(f"{value:.2f}" for value in loss_dim)
    where = f"plateau on rung {rung:.2f}<br>iterations {start} to {end}<br>level {level:.3f}"
    return f"{where}<br>per dimension: {per_dim}<extra></extra>"
