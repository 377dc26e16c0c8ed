"""A W&B workspace for a study: what is looked at in every run, by configuration, with bands from least to most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import wandb
import wandb_workspaces.expr as expr
import wandb_workspaces.reports.v2.interface as panels
import wandb_workspaces.workspaces as workspaces
from wandb.errors import term
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.names import shortened
from badger_sweeps.tracking.wandb import LONGEST, reach_server

MOST_CONFIGURATIONS = 100
"""Lines in a panel; W&B shows 10 of its own accord."""
OUTCOMES = ("escape_iteration", "solved_iteration", "plateau_iterations", "final_loss", "objective")
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
        metrics: all that its runs may have logged.
        parts: D of each staircase.
        swept: the configuration's keys in which runs differ, and their values.
        searched: whether there are runs of searches.
    """

    name: str
    project: str
    entity: str
    groups: Sequence[str]
    metrics: frozenset[str]
    parts: Sequence[int]
    swept: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    searched: bool = False


def workspace(study: StudyDescription) -> workspaces.Workspace:
    """The workspace; nothing is sent. A metric that no run has gets no panel."""
    sections = [
        ("Loss", _loss(study)),
        ("Between experts", _between_experts(study)),
        ("Along the inner loop", _inner(study)),
        ("Memory of the loss", _lines(study, "Hurst exponents", "hurst/")),
        ("Sweep", _sweep(study)),
    ]
    made = workspaces.Workspace(
        entity=study.entity,
        project=study.project,
        name=study.name,
        sections=[workspaces.Section(name=name, panels=own, is_open=True) for name, own in sections if own],
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


def _lines(study: StudyDescription, title: str, *beginnings: str) -> list[Any]:
    """One panel of all metrics that begin like this; none where there are none."""
    names = sorted(name for name in study.metrics if name.startswith(beginnings))
    return [_line(title, names)] if names else []


def _known(study: StudyDescription, candidates: Iterable[tuple[str, Sequence[str]]]) -> list[Any]:
    """A panel for each title whose metrics there are."""
    found = ((title, [name for name in names if name in study.metrics]) for title, names in candidates)
    return [_line(title, names) for title, names in found if names]


def _loss(study: StudyDescription) -> list[Any]:
    made = _known(study, [("loss, and the level of the staircase next to it", ("loss", "plateau/rung"))])
    staircases = [
        f"D = {parts}: " + ", ".join(f"{(parts - k) / parts:.4g}" for k in range(parts + 1)) for parts in study.parts
    ]
    text = "**The staircase**: chance is 1; with k of D parts solved the loss is (D - k)/D.\n\n"
    made.append(panels.MarkdownPanel(markdown=text + "\n\n".join(staircases)))
    made += _known(
        study,
        [
            ("plateau rung", ("plateau/rung",)),
            ("levels left", ("plateau/index",)),
            ("loss on fixed games", ("evaluation/loss",)),
        ],
    )
    for title, prefix in (("loss of each dimension", "loss_dim/"), ("the same on fixed games", "evaluation/loss_dim/")):
        if any(name.startswith(prefix) for name in study.metrics):
            made.append(_line(title, regex=f"^{prefix}.*"))
    return made + _known(study, [("gradient norm", ("grad_norm",))])


def _between_experts(study: StudyDescription) -> list[Any]:
    of_binding = ("total_correlation", "o_information", "residual_entropy")
    made = _known(
        study,
        [
            ("mutual information: mean, least and most of all pairs", ("mi/mean", "mi/min", "mi/max")),
            (
                "mutual information given the targets",
                tuple(f"mi_given_target/{name}" for name in ("mean", "min", "max")),
            ),
            ("binding information", ("binding/outer", "binding/outer_given_target")),
            *((name.replace("_", " "), (f"binding/{name}", f"binding/{name}_given_target")) for name in of_binding),
        ],
    )
    if "mi/mean" in study.metrics:
        made.append(panels.MediaBrowser(title="mutual information of all pairs", media_keys=["mi_pairs"]))
    return made


def _inner(study: StudyDescription) -> list[Any]:
    if "binding/inner" not in study.metrics:
        return []
    return [_line("along the last rollout", regex="^inner/.*", x="inner_step")]


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
        made.append(panels.ParallelCoordinatesPlot(title="what was swept, and what became of it", columns=axes + ends))
    if study.searched:
        names: list[Any] = ["search/objective", "search/best"]
        made.append(panels.LinePlot(title="the search: each trial's objective, the best so far", x="ended", y=names))
    return made


def _is_wide(values: Sequence[Any]) -> bool | None:
    numbers = [value for value in values if isinstance(value, int | float) and value > 0]
    return True if len(numbers) == len(values) and max(numbers) >= SPREAD * min(numbers) else None
