"""The panels of a search: Optuna's plots in the style of the other panels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, log10

import optuna
import plotly.graph_objects as go
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from badger_sweeps.reporting.formatting.search_tables import short_names, title
from badger_sweeps.reporting.plotting.style import apply_to, plain
from badger_sweeps.reporting.reading.search import RecordedSearch, parameter_names

POINT = "#4a6f8f"
BEST = "#e06c00"
GREY = "#b9bec4"
PANELS = 4
"""The number of slices in a row."""
DECADES = 2.5
"""The longest logarithmic axis, in decades, that has marks at 2 and 5."""
FEWEST_TRIALS = 8
"""The smallest number of complete trials for which importance is computed."""
TENTH = 10
ENOUGH = 50
"""Complete trials of which the best tenth are the five that Optuna's documentation asks for."""


@dataclass(frozen=True)
class Picture:
    """A panel: its figures, or a sentence on why there are none.

    Attributes:
        name: history, front, importance, slice or parallel.
        heading: the panel's heading.
        figures: one below the other.
        caption: what the figures show, or why there are none.
    """

    name: str
    heading: str
    figures: list[go.Figure]
    caption: str


def draw(search: RecordedSearch) -> list[Picture]:
    """History or Pareto front, importance of parameters, slices, parallel coordinates."""
    several = len(search.objectives) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of conditions that the captions state
        return [
            _front(search) if several else _history(search),
            _importance(search),
            _slices(search),
            _parallel(search),
        ]


def _complete(search: RecordedSearch) -> list[FrozenTrial]:
    trials = search.optuna_study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in trials if all(map(isfinite, trial.values))]


def _left_out(search: RecordedSearch) -> str:
    left = len(search.state.trials) - len(_complete(search))
    return f" {left} trials without a value (pruned, failed or unfinished) are not drawn." if left else ""


def _history(search: RecordedSearch) -> Picture:
    heading = "History"
    if not _complete(search):
        return Picture("history", heading, [], "There is no history before a trial is complete.")
    name = title(search.objectives[0])
    figure = optuna.visualization.plot_optimization_history(search.optuna_study, target_name=name)
    points, best, broken = figure.data
    figure.data = (best, points, broken)  # the line below the points
    points.update(name="trial", marker={"color": POINT, "size": 8}, cliponaxis=False)
    points.update(hovertemplate="trial %{x}: %{y:.4g}<extra></extra>")
    best.update(name="best so far", line={"color": BEST, "width": 2.5, "shape": "hv"}, hoverinfo="skip")
    broken.update(name="breaks a constraint", marker={"color": GREY, "size": 8}, showlegend=bool(broken.x))
    first = search.first
    if first is not None and first.values is not None:
        figure.add_hline(y=first.values[0], line={"width": 1, "dash": "dot", "color": "#555"}, layer="below")
    _finish(figure, 360)
    figure.update_xaxes(title="trial", rangemode="tozero")
    figure.update_yaxes(title=name)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    better = "lower" if search.lower_is_better else "higher"
    caption = f"Points: complete trials, {better} is better. Orange: the best so far. Dotted: the first trial."
    return Picture("history", heading, [figure], f"{caption}{_left_out(search)}")


def _front(search: RecordedSearch) -> Picture:
    heading, count = "Pareto front", len(search.objectives)
    if not _complete(search):
        return Picture("front", heading, [], "There is no front before a trial is complete.")
    if count > 3:
        return Picture("front", heading, [], f"{count} objectives cannot be drawn at once; the table marks the front.")
    names = [title(name) for name in search.objectives]
    figure = optuna.visualization.plot_pareto_front(search.optuna_study, target_names=names)
    for trace in figure.data:
        numbers = _numbers(trace.text or ())
        on_front = bool(numbers) and numbers[0] in search.front
        broken = str(trace.name).startswith("Infeasible")
        size = (10 if on_front else 7) / (count - 1)
        color = BEST if on_front else GREY if broken else POINT
        trace.marker = {"color": color, "size": size, "colorscale": None, "showscale": False, "line": None}
        trace.update(
            name="on the front" if on_front else "breaks a constraint" if broken else "trial",
            text=[f"trial {number}" for number in numbers],
            hovertemplate="%{text}<extra></extra>",
            showlegend=bool(numbers),
        )
    _finish(figure, 420 if count == 2 else 600)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    better = ", ".join(
        f"{'lower' if direction == 'minimize' else 'higher'} {name}"
        for direction, name in zip(search.state.directions, names, strict=True)
    )
    caption = f"Orange: trials that no other beats in all objectives. Better is: {better}."
    return Picture("front", heading, [figure], f"{caption}{_left_out(search)}")


def _numbers(texts: Iterable[str]) -> list[int]:
    """The trials' numbers, from the hover texts of Optuna's Pareto front."""
    matches = (re.search(r'"number": (\d+)', text) for text in texts)
    return [int(match[1]) for match in matches if match is not None]


def _importance(search: RecordedSearch) -> Picture:
    heading = "Importance of parameters"
    complete, names = _complete(search), parameter_names(search)
    missing = ""
    if len(names) < 2:
        missing = f"there is {'one parameter' if names else 'no parameter'} only"
    elif len(complete) < FEWEST_TRIALS:
        missing = f"it needs at least {FEWEST_TRIALS} complete trials; found {len(complete)}"
    figures = []
    for position, (name, direction) in enumerate(zip(search.objectives, search.state.directions, strict=True)):
        values = {trial.values[position] for trial in complete}
        if missing or len(values) == 1:
            missing = missing or "all complete trials have the same value"
            continue
        figure = _bars(search, position, direction)
        if figure is None:
            missing = "the best trials do not differ from the others in any parameter"
            continue
        if len(search.objectives) > 1:
            figure.update_layout(title={"text": title(name), "font": {"size": 13}}, margin={"t": 45})
        figures.append(figure)
    if not figures:
        return Picture("importance", heading, [], f"Not computed: {missing}.")
    caption = (
        "How much a parameter decides whether a complete trial is among the best tenth (PED-ANOVA; shares of a whole). "
        "Trials that were pruned have no value and do not count"
    )
    hint = f". {len(complete)} complete trials are few for it (it takes {ENOUGH}): read this as a hint"
    return Picture("importance", heading, figures, f"{caption}{hint if len(complete) < ENOUGH else ''}.")


def _bars(search: RecordedSearch, position: int, direction: str) -> go.Figure | None:
    """The bars of one objective; None if all are equal."""
    sign = 1 if direction == "minimize" else -1  # Optuna takes the lowest values for the best

    def target(trial: FrozenTrial) -> float:
        return sign * float(trial.values[position])

    figure = optuna.visualization.plot_param_importances(search.optuna_study, target=target)
    (bars,) = figure.data
    if len(set(bars.x)) < 2:
        return None
    bars.update(marker={"color": POINT}, hovertemplate="%{y}: %{x:.2f}<extra></extra>", cliponaxis=False)
    _finish(figure, 110 + 30 * len(bars.x))
    figure.update_xaxes(title="importance", rangemode="tozero")
    figure.update_yaxes(title=None, automargin=True)
    return figure


def _slices(search: RecordedSearch) -> Picture:
    heading = "Slices"
    complete = _complete(search)
    tried = {name for trial in complete for name in trial.params}
    names = [name for name in parameter_names(search) if name in tried]
    if not names:
        return Picture("slice", heading, [], "There are no slices before a trial is complete.")
    figures = []
    for position, name in enumerate(search.objectives):
        for begin in range(0, len(names), PANELS):
            row = names[begin : begin + PANELS]
            share = len(row) / min(PANELS, len(names))
            figures.append(_row_of_slices(search, position, title(name), row, share))
    caption = "The objective against one parameter at a time. Darker: later trials."
    best = "" if len(search.objectives) > 1 else " Orange: the best."
    best += " Grey: trials that break a constraint." if any(trial.constraints for trial in complete) else ""
    crowd = " Searches crowd where they found good values, so that a slope is not the effect of one parameter alone."
    return Picture("slice", heading, figures, f"{caption}{best}{_left_out(search)}{crowd}")


def _row_of_slices(search: RecordedSearch, position: int, name: str, params: list[str], share: float) -> go.Figure:
    """Slices side by side, on this share of the page's width."""

    def target(trial: FrozenTrial) -> float:
        return float(trial.values[position])

    figure = optuna.visualization.plot_slice(search.optuna_study, params=params, target=target, target_name=name)
    best = search.state.best
    for trace in list(figure.data):
        if str(trace.name).startswith("Infeasible"):
            trace.update(hovertemplate="%{x}: %{y:.4g}<extra></extra>")
            continue
        numbers = list(trace.marker.color)
        trace.update(customdata=numbers, hovertemplate="trial %{customdata}<br>%{x}: %{y:.4g}<extra></extra>")
        trace.marker.update(size=8, showscale=False, line={"width": 0.8, "color": POINT}, cmin=0, cmax=_last(search))
        if best is not None and best.number in numbers:
            place = numbers.index(best.number)
            figure.add_scatter(
                x=[trace.x[place]], y=[trace.y[place]], xaxis=trace.xaxis, yaxis=trace.yaxis, mode="markers",
                marker={"color": BEST, "size": 13, "symbol": "star"}, showlegend=False,
                hovertemplate=f"trial {best.number}, the best<br>%{{x}}: %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
    _finish(figure, 300)
    figure.update_layout(width=None)
    distributions = {
        name: distribution for trial in _complete(search) for name, distribution in trial.distributions.items()
    }
    for axis in figure.select_xaxes():  # Optuna chooses their order
        axis.update(domain=[share * end for end in axis.domain or (0, 1)])
        _show_range(axis, distributions[axis.title.text])
    return figure


def _parallel(search: RecordedSearch) -> Picture:
    heading, complete = "Parallel coordinates", _complete(search)
    shared = set.intersection(*(set(trial.params) for trial in complete)) if complete else set()
    if len(complete) < 2 or len(shared) < 2:
        return Picture("parallel", heading, [], "They need at least two parameters and two complete trials.")
    figures = [_lines(search, position, sorted(shared)) for position in range(len(search.objectives))]
    share = f"the best tenth of {len(complete)}" if len(complete) > TENTH else "the best one"
    caption = f"A line for each complete trial. Orange: {share} by the objective on the left."
    return Picture("parallel", heading, figures, f"{caption}{_left_out(search)}")


def _lines(search: RecordedSearch, position: int, params: list[str]) -> go.Figure:
    """Trials as lines across one objective and these parameters."""

    def target(trial: FrozenTrial) -> float:
        return float(trial.values[position])

    name = title(search.objectives[position])
    figure = optuna.visualization.plot_parallel_coordinate(search.optuna_study, params, target=target, target_name=name)
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    sign = 1 if search.state.directions[position] == "minimize" else -1
    lines.sort(key=lambda trace: -sign * trace.y[0])  # the best are drawn last, above the others
    for place, trace in enumerate(reversed(lines)):
        best = place < max(1, len(lines) // TENTH)
        trace.update(
            line={"color": BEST if best else POINT, "width": 2.2 if best else 1.2}, opacity=1 if best else 0.45
        )
    figure.data = lines
    _finish(figure, 400)
    figure.update_xaxes(ticktext=[name, *short_names(params)])
    for mark in figure.layout.annotations:
        mark.update(text=plain(str(mark.text)), font={"size": 12, "color": None})
    figure.update_layout(margin={"l": 40, "r": 40, "t": 20, "b": 40})
    return figure


def _show_range(axis: go.layout.XAxis, distribution: BaseDistribution) -> None:
    """Show the whole range of a parameter, or the names of its choices."""
    if isinstance(distribution, CategoricalDistribution):
        labels = [str(label).strip("'") for label in axis.categoryarray or ()]
        axis.update(tickmode="array", tickvals=list(range(len(labels))), ticktext=labels)
        return
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = (log10(end) if distribution.log else end for end in (distribution.low, distribution.high))
    axis.update(range=[low - 0.06 * (high - low), high + 0.06 * (high - low)], tickangle=0)
    if distribution.log:
        axis.update(dtick="D2" if high - low < DECADES else 1)


def _last(search: RecordedSearch) -> int:
    return max(1, len(search.state.trials) - 1)


def _finish(figure: go.Figure, height: int) -> None:
    figure.update_layout(title=None)
    apply_to(figure, height)
