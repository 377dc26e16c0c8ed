"""The columns of histories and of `measures.parquet`: what each of them holds.

A column is declared where it is measured, and written with its file, as metadata of its Parquet field. W&B, workspaces,
reports, `badger_sweeps.load` and the README's table read it from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

INNER_STEP = "inner step"
"""The axis of a vector with a value after every inner step."""
CHANCE_IS_1 = "chance = 1"
"""The unit of a normalised error."""
BITS = "bits"
KEY = b"badger_sweeps"
"""The key of a field's metadata under which its column is kept."""

Section = Literal["Loss", "Between experts", "Along the inner loop", "Memory of the loss", "Further measures"]
"""Where a column stands in a W&B workspace."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: as in files and in W&B.
        title: what it holds, in words.
        unit: of its values; empty for pure numbers.
        length: of the vector that a value is; None for a number.
        axis: what a vector runs along: `INNER_STEP`, ``experts``, ...; empty for a number.
        per: what there is a column for each of: pair of experts, dimension, frequency; empty for a single column.
        every_iteration: whether there is a value in every iteration; if not, only where it was measured.
        shown: whether reports show it at first.
        drawn: whether reports have a panel of it at all; pairs of experts have one of their own.
        section: where it stands in a W&B workspace.
        panel: the title of the panel that it shares with others there; empty for one of its own.
        reference: a value to compare with, drawn as a line.
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
    section: Section = "Further measures"
    panel: str = ""
    reference: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one member's value."""
        return () if self.length is None else (self.length,)

    def metadata(self) -> dict[bytes, bytes]:
        """The metadata of its Parquet field."""
        described = {name: value for name, value in asdict(self).items() if name not in ("name", "length")}
        return {KEY: json.dumps(described).encode()}


def metric(name: str, title: str, unit: str = "", **described: Any) -> Column:
    """A column with a value in every iteration, as training and update rules have them."""
    return Column(name, title, unit, every_iteration=True, **described)


_PAIR = re.compile(r".+/\d\d__\d\d")
_BOOKKEEPING = ("cost/", "schedule/", "plateau/")

Columns = Mapping[str, Column]
"""Columns by name, in the order of the file."""


def columns(*each: Column) -> dict[str, Column]:
    """These columns by name."""
    return {column.name: column for column in each}


def column_of(name: str, metadata: Mapping[bytes, bytes] | None, vector: bool) -> Column:
    """The column of a Parquet field.

    Args:
        name: the field's.
        metadata: the field's. Files of earlier versions have none: then the name tells as much as it can.
        vector: whether values are vectors.
    """
    kept = (metadata or {}).get(KEY)
    if kept is not None:
        return Column(name, **json.loads(kept))
    return Column(
        name,
        title=name,
        axis=INNER_STEP if vector else "",
        per="pair" if _PAIR.fullmatch(name) else "dimension" if "loss_dim/" in name else "",
        every_iteration="/" not in name or name.startswith(("loss_dim/", *_BOOKKEEPING)),
        shown=name == "loss",
        drawn=name != "diverged" and not name.startswith(_BOOKKEEPING),
    )


def rows(described: Iterable[Column]) -> list[dict[str, Any]]:
    """The columns as rows of a table."""
    names = ("name", "title", "unit", "axis", "per", "every_iteration", "shown")
    return [{name: getattr(column, name) for name in names} for column in described]
