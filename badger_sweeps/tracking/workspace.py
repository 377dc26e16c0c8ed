"""A W&B workspace for the runs below a folder: panels by configuration, with bands from the minimum to the maximum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import wandb
import wandb_workspaces.expr as expr
import wandb_workspaces.reports.v2.interface as panels
import wandb_workspaces.workspaces as workspaces
from wandb.errors import term
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from badger_sweeps.core.columns import FURTHER_MEASURES, INNER_STEP, SECTIONS, Column, Columns, Section, pair_groups
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.names import shortened
from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.tracking.wandb import picture_name
from badger_sweeps.tracking.wandb_connection import LONGEST, reach_server

MOST_CONFIGURATIONS = 100
"""Maximum number of lines in a panel; W&B's default is 10."""
SPREAD = 10
"""A parameter whose values differ by at least this factor has a logarithmic axis."""


@dataclass(frozen=True)
class WorkspaceDescription:
    """The runs that a workspace shows.

    Attributes:
        name: the workspace's name.
        project: the W&B project of the runs.
        entity: the W&B user or team; empty for the key's default.
        groups: the groups of the runs.
        columns: every column that the runs may have logged.
        parts: the different values of D, the number of parts of a run's staircase.
        swept: the configuration keys in which the runs differ, and their values.
        searched: whether the folder has runs of searches.
    """

    name: str
    project: str
    entity: str
    groups: Sequence[str]
    columns: Columns
    parts: Sequence[int]
    swept: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    searched: bool = False


def workspace(description: WorkspaceDescription) -> workspaces.Workspace:
    """Make a workspace, without sending it to W&B. A metric that no run has gets no panel."""
    of_no_column: dict[Section, list[Any]] = {
        "Loss": [_staircase(description)],
        "Along the inner loop": _inner(description),
        "Sweep": _sweep(description),
    }
    sections = [
        (name, [*_lines(description, name), *_pairs(description, name), *of_no_column.get(name, [])])
        for name in SECTIONS
    ]
    made = workspaces.Workspace(
        entity=description.entity,
        project=description.project,
        name=description.name,
        sections=[
            workspaces.Section(name=name, panels=shown, is_open=name != FURTHER_MEASURES)
            for name, shown in sections
            if shown
        ],
        settings=workspaces.WorkspaceSettings(x_axis="iteration", max_runs=MOST_CONFIGURATIONS),
        runset_settings=workspaces.RunsetSettings(
            groupby=[expr.Metric("Group")], pinned_columns=[f"summary:{name}" for name in _outcomes()]
        ),
    )
    # The argument `filters` would turn "lr=0.01" within a group's name into "lr==0.01".
    key = {"section": "run", "name": "group"}
    groups = sorted({shortened(group, LONGEST) for group in description.groups})
    only = {"key": key, "op": "IN", "value": groups, "disabled": False}
    made._stashed_filters_v2 = {"filterFormat": "filterV2", "filters": [only]}
    made._stashed_filter_string = ""  # what `filters` is
    return made


def as_json(made: workspaces.Workspace) -> dict[str, Any]:
    """A workspace in W&B's JSON format, with the name and the id that W&B gave it, empty before it was sent."""
    content: dict[str, Any] = made._to_model().model_dump(by_alias=True, exclude_none=True, mode="json")
    return content


def push(made: workspaces.Workspace, name: str = "", view_id: str = "") -> str:
    """Send a workspace to W&B and return its URL.

    Args:
        made: the workspace; this sets its entity, name and id to those that W&B returns.
        name: the name (see `as_json`) of the view in W&B that it replaces; empty for none.
        view_id: the id of that view.

    Raises:
        UsageError: the user has no key, or the server does not answer or refuses the key.
    """
    term.termsetup(wandb.Settings(silent=True), None)
    try:
        api = reach_server()
        made.entity = made.entity or api.default_entity or ""
        made._internal_name, made._internal_id = name, view_id
        made.save()  # type: ignore[no-untyped-call]
        return str(made.url)
    except (wandb.Error, WandbApiFailedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"`mode` must be one in which W&B can be reached; found online: {reason}") from error


def _line(title: str, names: Sequence[str] = (), regex: str | None = None, x: str = "iteration") -> panels.LinePlot:
    return panels.LinePlot(
        title=title,
        x=x,
        y=list(names),
        metric_regex=regex,
        groupby="Group",
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=MOST_CONFIGURATIONS,
    )


def _lines(description: WorkspaceDescription, section: Section) -> list[Any]:
    """The panels of a section: one for each column, or for the columns that share a panel or exist per dimension."""
    shared: dict[str, list[Column]] = {}
    for column in description.columns.values():
        if column.section == section and not column.axis and column.per != "pair" and not _is_bookkeeping(column):
            shared.setdefault(column.panel or column.title, []).append(column)
    return [_panel(title, together) for title, together in shared.items()]


def _is_bookkeeping(column: Column) -> bool:
    """Whether a column has a value in every iteration but is drawn in no report, such as costs and learning rates."""
    return column.every_iteration and not column.drawn and column.section == FURTHER_MEASURES


def _panel(title: str, together: Sequence[Column]) -> panels.LinePlot:
    if together[0].per:  # the pattern matches any number of dimensions
        return _line(title, regex=f"^{together[0].group}/.*")
    return _line(title, [column.name for column in together])


def _staircase(description: WorkspaceDescription) -> panels.MarkdownPanel:
    levels = [
        f"D = {parts}: " + ", ".join(f"{(parts - k) / parts:.4g}" for k in range(parts + 1))
        for parts in description.parts
    ]
    text = "**The staircase**: chance is 1; with k of D parts solved the loss is (D - k)/D.\n\n"
    return panels.MarkdownPanel(markdown=text + "\n\n".join(levels))


def _pairs(description: WorkspaceDescription, section: Section) -> list[Any]:
    """The panels of a section with pictures of all pairs of experts: one for each measure of pairs."""
    return [
        panels.MediaBrowser(title=pairs[0].panel or group, media_keys=[picture_name(group)])
        for group, pairs in pair_groups(description.columns.values()).items()
        if pairs[0].section == section
    ]


def _inner(description: WorkspaceDescription) -> list[Any]:
    if not any(column.axis == INNER_STEP for column in description.columns.values()):
        return []
    return [_line("Along the last rollout", regex="^inner/.*", x="inner_step")]


def _outcomes() -> list[str]:
    """The results in the summary of a W&B run."""
    return [*OBJECTIVES, "objective"]


def _sweep(description: WorkspaceDescription) -> list[Any]:
    made: list[Any] = []
    if description.swept:
        axes = [
            panels.ParallelCoordinatesPlotColumn(
                panels.Config(key), display_name=key.removesuffix("._target_"), log=_is_wide(values)
            )
            for key, values in description.swept.items()
        ]
        ends = [
            panels.ParallelCoordinatesPlotColumn(panels.SummaryMetric(name), display_name=name) for name in _outcomes()
        ]
        made.append(panels.ParallelCoordinatesPlot(title="What was swept, and the results", columns=axes + ends))
    if description.searched:
        names: list[Any] = ["search/objective", "search/best"]
        made.append(
            panels.LinePlot(title="The search: each trial's objective, and the best so far", x="ended", y=names)
        )
    return made


def _is_wide(values: Sequence[Any]) -> bool | None:
    numbers = [value for value in values if isinstance(value, int | float) and value > 0]
    return True if len(numbers) == len(values) and max(numbers) >= SPREAD * min(numbers) else None
