"""A W&B workspace for a study: what is looked at in every run, by configuration, with bands from least to most."""

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

from badger_sweeps.core.columns import INNER_STEP, Column, Columns, Section
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.names import shortened
from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.tracking.wandb import LONGEST, reach_server

MOST_CONFIGURATIONS = 100
"""Lines in a panel; W&B shows 10 of its own accord."""
OUTCOMES = (*OBJECTIVES, "objective")
"""What a run's summary in W&B says became of it."""
SPREAD = 10
"""A parameter whose values differ by this factor has a logarithmic axis."""


@dataclass(frozen=True)
class StudyDescription:
    """What a workspace is made for.

    Attributes:
        name: the workspace's.
        project: where its runs are.
        entity: whose; empty for the key's default.
        groups: of its runs.
        columns: all that its runs may have logged.
        parts: D of each run's staircase.
        swept: the configuration's keys in which runs differ, and their values.
        searched: whether there are runs of searches.
    """

    name: str
    project: str
    entity: str
    groups: Sequence[str]
    columns: Columns
    parts: Sequence[int]
    swept: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    searched: bool = False


def workspace(study: StudyDescription) -> workspaces.Workspace:
    """The workspace; nothing is sent. A metric that no run has gets no panel."""
    sections = [
        ("Loss", [*_lines(study, "Loss"), _staircase(study)]),
        ("Between experts", [*_lines(study, "Between experts"), *_pairs(study)]),
        ("Along the inner loop", _inner(study)),
        ("Memory of the loss", _lines(study, "Memory of the loss")),
        ("Sweep", _sweep(study)),
        ("Further measures", _lines(study, "Further measures")),
    ]
    made = workspaces.Workspace(
        entity=study.entity,
        project=study.project,
        name=study.name,
        sections=[
            workspaces.Section(name=name, panels=shown, is_open=name != "Further measures")
            for name, shown in sections
            if shown
        ],
        settings=workspaces.WorkspaceSettings(x_axis="iteration", max_runs=MOST_CONFIGURATIONS),
        runset_settings=workspaces.RunsetSettings(
            groupby=[expr.Metric("Group")], pinned_columns=[f"summary:{name}" for name in OUTCOMES]
        ),
    )
    # Given as `filters`, "lr=0.01" within a group's name would arrive as "lr==0.01".
    key = {"section": "run", "name": "group"}
    groups = sorted({shortened(group, LONGEST) for group in study.groups})
    only = {"key": key, "op": "IN", "value": groups, "disabled": False}
    made._stashed_filters_v2 = {"filterFormat": "filterV2", "filters": [only]}
    made._stashed_filter_string = ""  # what `filters` is
    return made


def as_json(made: workspaces.Workspace) -> dict[str, Any]:
    """All of it as W&B keeps it, with the name and the id that it has there, empty while it has none."""
    content: dict[str, Any] = made._to_model().model_dump(by_alias=True, exclude_none=True, mode="json")
    return content


def push(made: workspaces.Workspace, name: str = "", identity: str = "") -> str:
    """Send it to W&B; gives its address.

    Args:
        made: it; afterwards it has the entity, the name and the id that it got.
        name: which of W&B's views it replaces, as `as_json` says it; empty for none.
        identity: its id.

    Raises:
        UsageError: there is no key, the server does not answer, or refuses.
    """
    term.termsetup(wandb.Settings(silent=True), None)
    try:
        api = reach_server()
        made.entity = made.entity or api.default_entity or ""
        made._internal_name, made._internal_id = name, identity
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


def _lines(study: StudyDescription, section: Section) -> list[Any]:
    """The panels of a section: of one column, or of all that share a panel or are there for each dimension."""
    shared: dict[str, list[Column]] = {}
    for column in study.columns.values():
        if column.section == section and not column.axis and column.per != "pair" and not _is_bookkeeping(column):
            shared.setdefault(column.panel or column.title, []).append(column)
    return [_panel(title, together) for title, together in shared.items()]


def _is_bookkeeping(column: Column) -> bool:
    """Whether it is of every iteration and drawn nowhere, and so only the means to an end."""
    return column.every_iteration and not column.drawn and column.section == "Further measures"


def _panel(title: str, together: Sequence[Column]) -> panels.LinePlot:
    if together[0].per:  # as many as a run has, whatever their number
        return _line(title, regex=f"^{together[0].name.rpartition('/')[0]}/.*")
    return _line(title, [column.name for column in together])


def _staircase(study: StudyDescription) -> panels.MarkdownPanel:
    levels = [
        f"D = {parts}: " + ", ".join(f"{(parts - k) / parts:.4g}" for k in range(parts + 1)) for parts in study.parts
    ]
    text = "**The staircase**: chance is 1; with k of D parts solved the loss is (D - k)/D.\n\n"
    return panels.MarkdownPanel(markdown=text + "\n\n".join(levels))


def _pairs(study: StudyDescription) -> list[Any]:
    if not any(column.per == "pair" for column in study.columns.values()):
        return []
    return [panels.MediaBrowser(title="Mutual information of all pairs", media_keys=["mi_pairs"])]


def _inner(study: StudyDescription) -> list[Any]:
    if not any(column.axis == INNER_STEP for column in study.columns.values()):
        return []
    return [_line("Along the last rollout", regex="^inner/.*", x="inner_step")]


def _sweep(study: StudyDescription) -> list[Any]:
    made: list[Any] = []
    if study.swept:
        axes = [
            panels.ParallelCoordinatesPlotColumn(
                panels.Config(key), display_name=key.removesuffix("._target_"), log=_is_wide(values)
            )
            for key, values in study.swept.items()
        ]
        ends = [
            panels.ParallelCoordinatesPlotColumn(panels.SummaryMetric(name), display_name=name) for name in OUTCOMES
        ]
        made.append(panels.ParallelCoordinatesPlot(title="What was swept, and the results", columns=axes + ends))
    if study.searched:
        names: list[Any] = ["search/objective", "search/best"]
        made.append(
            panels.LinePlot(title="The search: each trial's objective, and the best so far", x="ended", y=names)
        )
    return made


def _is_wide(values: Sequence[Any]) -> bool | None:
    numbers = [value for value in values if isinstance(value, int | float) and value > 0]
    return True if len(numbers) == len(values) and max(numbers) >= SPREAD * min(numbers) else None
