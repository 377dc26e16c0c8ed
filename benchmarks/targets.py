"""The targets of speed, memory and waiting, and where a session has the result of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.figures import Better, Figure, Label, rounded


@dataclass(frozen=True)
class Target:
    """What a figure should reach.

    Attributes:
        words: what is measured.
        table: the table of the result.
        labels: labels that only the result's row has together.
        column: the figure's name in that row.
        wanted: the value to reach; None: there is no target, only the figure is of interest.
        better: whether lower or higher values reach it.
        unit: of value and target.
    """

    words: str
    table: str
    labels: Mapping[str, Label]
    column: str
    wanted: float | None
    better: Better
    unit: str = ""

    def verdict(self, figure: Figure | None) -> str:
        """Whether the figure's median reaches the target: ``yes``, ``no``, or nothing if one of the two is missing."""
        if figure is None or self.wanted is None:
            return ""
        return "yes" if (figure.value - self.wanted) * (1 if self.better == "higher" else -1) >= 0 else "no"

    @property
    def limit(self) -> str:
        """The target in words."""
        if self.wanted is None:
            return ""
        bound = "at least" if self.better == "higher" else "at most"
        return f"{bound} {rounded(self.wanted)}{self.unit and ' ' + self.unit}"


def _gradients() -> list[Target]:
    wanted = {"base": (92, 5, 6), "small": (60, 10, 5), "large": (95, 3, 4), "lstm": (85, 3, 3)}
    found = []
    for size, (share, eager, jax) in wanted.items():
        labels, words = {"size": size, "members": 8}, f"gradients at {size}, 8 members"
        table = "gradients, one core"
        found += [
            Target(f"{words}: share of sgemm's speed", table, labels, "% of sgemm", share, "higher", "%"),
            Target(f"{words}, against eager", table, labels, "reference x", eager, "higher"),
            Target(f"{words}, against JAX", table, labels, "JAX x", jax, "higher"),
        ]
    return found


def _whole_training() -> list[Target]:
    wanted = {8: {"base": 5, "small": 4, "lstm": 3}, 32: {"base": 5, "small": 6, "lstm": 3}}
    return [
        Target(
            f"whole training with everything on against JAX's, {size}, {members} members",
            "whole training",
            {"size": size, "members": members, "cores": 1},
            "JAX x",
            ratio,
            "higher",
        )
        for members, of_size in wanted.items()
        for size, ratio in of_size.items()
    ]


def _forward_only() -> list[Target]:
    return [
        Target(
            f"forward only at {size}, 8 members: share of sgemm's speed",
            "forward only, one core",
            {"size": size, "members": 8},
            "% of sgemm",
            share,
            "higher",
            "%",
        )
        for size, share in {"base": 85, "small": 45, "lstm": 80}.items()
    ]


def _whole_iteration() -> list[Target]:
    return [
        Target(
            f"whole training iteration over bare gradients, {size}, 8 members, one thread; measures apart",
            "a whole training iteration, 8 members, everything on (ms)",
            {"size": size, "threads": 1},
            "all but measures / gradients",
            ratio,
            "lower",
        )
        for size, ratio in {"base": 1.05, "small": 1.3}.items()
    ]


POPULATION = "a population of 1024 members at small size"
COMMANDS = "commands"
START = "from the command to the first row of history, s"

TARGETS = [
    *_gradients(),
    *_whole_iteration(),
    *_whole_training(),
    *_forward_only(),
    Target(
        "all standard measures at base, 8 members, of training",
        "whole training",
        {"size": "base", "members": 8, "cores": 1},
        "measures, % of training",
        5,
        "lower",
        "%",
    ),
    Target(
        "memory of a 32-member base run with measures",
        "peak memory of a 32-member base run",
        {"engine": "native", "measures": "standard"},
        "MB",
        600,
        "lower",
        "MB",
    ),
    Target("a whole sweep against eager PyTorch and joblib", "a whole sweep", {"configurations": 12}, "x", 5, "higher"),
    Target(
        "two threads against one in training, small, 8 members",
        "two threads in training, 8 members",
        {"size": "small"},
        "times faster",
        1.85,
        "higher",
    ),
    Target(
        "two threads against one, gradients at base, 8 members",
        "threads within an engine (times faster than one)",
        {"size": "base", "members": 8},
        "2 threads",
        1.85,
        "higher",
    ),
    Target(
        "from the command of a run to the first row of its history",
        COMMANDS,
        {"command": "a run, to its first row of history"},
        "s",
        2.5,
        "lower",
        "s",
    ),
    Target(
        "from the command of a search to the first row of history",
        START,
        {"until": "a row can be read (other starts)"},
        "since the start",
        2.5,
        "lower",
        "s",
    ),
    *(
        Target(
            f"installation without extras, {what}: smaller than before by",
            "installation without extras",
            {"counted": what},
            "saved, %",
            33,
            "higher",
            "%",
        )
        for what in ("all", "all but PyTorch")
    ),
    Target(
        "`make quickstart` without installation",
        COMMANDS,
        {"command": "make quickstart, without installation"},
        "s",
        75,
        "lower",
        "s",
    ),
    Target("`make test`: computing", COMMANDS, {"command": "make test"}, "CPU-min", 8, "lower", "min"),
    Target("`make test`: by the clock", COMMANDS, {"command": "make test"}, "min", 5, "lower", "min"),
    Target(f"{POPULATION}: memory without measures", POPULATION, {"measures": "none"}, "MB", 1024, "lower", "MB"),
    Target(f"{POPULATION}: memory with measures", POPULATION, {"measures": "standard"}, "MB", 1024, "lower", "MB"),
    Target(
        f"{POPULATION}: time of a member, beside one of 32",
        POPULATION,
        {"measures": "none"},
        "a member beside one of 32",
        1.0,
        "lower",
    ),
    Target(
        "W&B beside no tracking, 8 seeds, at the defaults",
        "W&B beside no tracking: 8 seeds, default measures",
        {},
        "wandb/disabled",
        1.05,
        "lower",
    ),
    Target("W&B files of 5000 iterations, a seed", "files of a run", {}, "W&B, MB/seed", 5, "lower", "MB"),
    Target(
        "histories of 64 runs of 5000 iterations, all columns",
        "histories as one frame",
        {"runs": 64, "which": "all"},
        "ours/s",
        1,
        "lower",
        "s",
    ),
    Target("report of 30 runs of 8 seeds", "reports", {"runs": 30}, "report/s", 20, "lower", "s"),
    Target("page of 8 runs of 8 seeds", "reports", {"runs": 8}, "page/MB", 10, "lower", "MB"),
    Target(
        "1024 members at base on a GPU: a member's iteration",
        "iterations on a GPU, base",
        {"members": 1024},
        "ms a member",
        0.1,
        "lower",
        "ms",
    ),
]
