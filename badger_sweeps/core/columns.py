"""The columns of `history.parquet`, `measures.parquet` and `plateaus.parquet`, with their titles, units and axes.

A column is declared where it is measured, and its declaration is written to the file as metadata of its Parquet field.
W&B, workspaces, reports, `badger_sweeps.load` and the README's table use this declaration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

INNER_STEP = "inner step"
"""The axis of a vector with a value after every inner step."""
NORMALISED_ERROR = "relative to guessing zero"
"""The unit of a normalised error (`losses.base.Loss`): the error of the guess zero is 1."""
EARLIER_UNITS = {"chance = 1": NORMALISED_ERROR}
"""The units in files of earlier versions that have another name now."""
BITS = "bits"
METADATA_KEY = b"badger_sweeps"
"""The key of the field's metadata that stores the column."""

Section = Literal["Loss", "Between experts", "Along the inner loop", "Memory of the loss", "Sweep", "Further measures"]
"""A section of a W&B workspace."""
SECTIONS: tuple[Section, ...] = get_args(Section)
"""The sections in the workspace's order."""
FURTHER_MEASURES: Section = "Further measures"
"""The section of columns that name no other; it is folded at first."""


@dataclass(frozen=True)
class Column:
    """A column of a history or of `measures.parquet`.

    Attributes:
        name: the name in files and in W&B.
        title: a description of the values.
        unit: the values' unit; empty for dimensionless values.
        length: the values' length if they are vectors; None for numbers.
        axis: the axis of a vector: `INNER_STEP`, ``experts``, ...; empty for numbers.
        per: the kind of object that has one such column each: pair of experts, dimension, frequency; empty for a single
            column. The last part of such a column's name is the object: ``GROUP/II__JJ``, ``GROUP/K``.
        every_iteration: whether the column has a value in every iteration, not only where it was measured.
        shown: whether reports show its panel unfolded.
        drawn: whether reports have a panel for it; the pairs of experts of a measure share a heatmap.
        section: the section of a W&B workspace that shows it.
        panel: the title of the panel that it shares with other columns in a workspace, and of the heatmap of pairs;
            empty for a panel of its own.
        reference: a value for comparison, drawn as a line.
        declared: whether all this was declared; False: it was inferred from the name (`column_of`).
    """

    name: str
    title: str
    unit: str = ""
    length: int | None = None
    axis: str = ""
    per: Literal["", "pair", "dimension", "frequency"] = ""
    every_iteration: bool = False
    shown: bool = False
    drawn: bool = True
    section: Section = FURTHER_MEASURES
    panel: str = ""
    reference: float | None = None
    declared: bool = True

    @property
    def group(self) -> str:
        """The name without its last part; all columns per pair, dimension or frequency of one measure share it."""
        return self.name.rpartition("/")[0]

    @property
    def indices(self) -> tuple[int, ...]:
        """The numbers of the column's pair, dimension or frequency: (0, 4) for ``mi/00__04``."""
        return tuple(map(int, self.name.rpartition("/")[2].split("__")))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one member's value."""
        return () if self.length is None else (self.length,)

    def metadata(self) -> dict[bytes, bytes]:
        """The metadata of the column's Parquet field."""
        described = {name: value for name, value in asdict(self).items() if name not in ("name", "length", "declared")}
        return {METADATA_KEY: json.dumps(described).encode()}


def metric(name: str, title: str, unit: str = "", **described: Any) -> Column:
    """A column with a value in every iteration, such as the columns of training and of update rules."""
    return Column(name, title, unit, every_iteration=True, **described)


_PAIR = re.compile(r".+/\d\d__\d\d")
_BOOKKEEPING = ("cost/", "schedule/", "plateau/")
_ALONG_INNER_STEPS = ("inner/", "binding/inner", "gate/carried")

Columns = Mapping[str, Column]
"""Columns by name, in their order in the file."""


def columns(*each: Column) -> dict[str, Column]:
    """The columns by name."""
    return {column.name: column for column in each}


def pair_groups(columns: Iterable[Column]) -> dict[str, list[Column]]:
    """The columns per pair of experts by `Column.group`, each group in the columns' order."""
    groups: dict[str, list[Column]] = {}
    for column in columns:
        if column.per == "pair":
            groups.setdefault(column.group, []).append(column)
    return groups


def column_of(name: str, metadata: Mapping[bytes, bytes] | None, vector: bool) -> Column:
    """The column of a Parquet field.

    Args:
        name: the field's name.
        metadata: the field's metadata. Files of earlier versions have none; then the column is inferred from the name,
            for want of its declaration (`configuration.recorded_columns`).
        vector: whether the values are vectors.
    """
    stored = (metadata or {}).get(METADATA_KEY)
    if stored is not None:
        column = Column(name, **json.loads(stored))
        return replace(column, unit=EARLIER_UNITS.get(column.unit, column.unit))
    return Column(
        name,
        title=name,
        axis="" if not vector else INNER_STEP if name.startswith(_ALONG_INNER_STEPS) else "position",
        per="pair" if _PAIR.fullmatch(name) else "dimension" if "loss_dim/" in name else "",
        every_iteration="/" not in name or name.startswith(("loss_dim/", *_BOOKKEEPING)),
        shown=name == "loss",
        drawn=name != "diverged" and not name.startswith(_BOOKKEEPING),
        declared=False,
    )


def rows(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """The columns as rows of a table."""
    names = ("name", "title", "unit", "axis", "per", "every_iteration", "shown")
    return [{name: getattr(column, name) for name in names} for column in columns]
