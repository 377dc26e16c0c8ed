"""`summary.json`: each seed's outcome, and the run's objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badger_sweeps.core.files import read_json, reading, write_json
from badger_sweeps.measures.escape import measurable
from badger_sweeps.measures.objectives import OBJECTIVES, ObjectiveName, objective
from badger_sweeps.measures.outcome_of_history import outcome
from badger_sweeps.measures.seed_outcome import MeasuredPlateau, SeedOutcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.runs.graphs import read_connectivity
from badger_sweeps.runs.history import columns_by_seed, read_columns, read_history
from badger_sweeps.statistics.estimates import Estimate
from badger_sweeps.topologies.connectivity import Connectivity

SUMMARY_FILE = "summary.json"
PLATEAU_KEYS = {"mean_loss": "level", "staircase_level": "rung"}
"""The file's keys of a plateau that differ from the attributes of `Plateau`."""
IN_EVERY_FILE = {"escape_iteration", "plateau_iterations", "solved_iteration", "final_loss"}
"""The objectives that every version has written; a file without one of them is damaged."""


@dataclass(frozen=True)
class Summary:
    """The results of a finished run.

    Attributes:
        name: the run's name in tables and in W&B.
        budget: the iterations at which times are censored.
        staircase: the staircase and block that plateaus and times were detected with.
        outcomes: one for each seed.
        objective: the objective's name.
        value: the objective's estimate over seeds.
        graphs: by seed, the connectivity measures of its graph.
    """

    name: str
    budget: int
    staircase: Staircase
    outcomes: tuple[SeedOutcome, ...]
    objective: ObjectiveName
    value: Estimate
    graphs: Mapping[int, Connectivity]

    @property
    def measurable(self) -> bool:
        """Whether the budget is long enough to detect an escape (`escape.measurable`)."""
        return measurable(self.budget, self.staircase)

    def write(self, folder: Path) -> None:
        """Write `summary.json` into the run's folder."""
        content = {
            "name": self.name,
            "budget": self.budget,
            "parts": self.staircase.parts,
            "block": self.staircase.block,
            "measurable": self.measurable,
            "objective": {"name": self.objective, **self.value._asdict(), "seeds": len(self.outcomes)},
            "seeds": [
                {**_outcome_to_json(outcome), "topology": self.graphs[outcome.seed]._asdict()}
                for outcome in self.outcomes
            ],
        }
        write_json(folder / SUMMARY_FILE, content)


def summarize(folder: Path, name: str, budget: int, staircase: Staircase, objective_name: ObjectiveName) -> Summary:
    """Summarise the run in `folder` from its history and its graphs."""
    # Measures are most of a history, and no outcome depends on them.
    metrics = [name for name, column in read_columns(folder).items() if column.every_iteration]
    columns = columns_by_seed(read_history(folder, metrics))
    outcomes = tuple(outcome(seed, values, staircase) for seed, values in columns.items())
    value = objective(objective_name, outcomes, budget)
    return Summary(name, budget, staircase, outcomes, objective_name, value, read_connectivity(folder))


def read_summary(folder: Path) -> Summary:
    """Read the `summary.json` of a run's folder.

    Raises:
        UsageError: the file is damaged.
        FileNotFoundError: there is no file.
    """
    with reading(folder / SUMMARY_FILE):
        content = read_json(folder / SUMMARY_FILE)
        objective = content["objective"]
        return Summary(
            name=content["name"],
            budget=content["budget"],
            staircase=Staircase(content["parts"], content["block"]),
            outcomes=tuple(_outcome_from_json(outcome) for outcome in content["seeds"]),
            objective=objective["name"],
            value=Estimate(objective["value"], objective["low"], objective["high"]),
            graphs={outcome["seed"]: Connectivity(**outcome["topology"]) for outcome in content["seeds"]},
        )


def _outcome_to_json(outcome: SeedOutcome) -> dict[str, Any]:
    return {
        **outcome.as_row(),
        "iterations": outcome.iterations,
        "plateaus": [_plateau_to_json(plateau) for plateau in outcome.plateaus],
    }


def _plateau_to_json(plateau: MeasuredPlateau) -> dict[str, Any]:
    fields = {PLATEAU_KEYS.get(name, name): value for name, value in vars(plateau).items()}
    return {**fields, "loss_dim": list(plateau.loss_dim)}


def _plateau_from_json(content: dict[str, Any]) -> MeasuredPlateau:
    attributes = {key: name for name, key in PLATEAU_KEYS.items()}
    fields = {attributes.get(key, key): value for key, value in content.items()}
    return MeasuredPlateau(**{**fields, "loss_dim": tuple(content["loss_dim"])})


def _outcome_from_json(content: dict[str, Any]) -> SeedOutcome:
    return SeedOutcome(
        seed=content["seed"],
        iterations=content["iterations"],
        measured={name: content[name] for name in OBJECTIVES if name in content or name in IN_EVERY_FILE},
        plateaus=tuple(map(_plateau_from_json, content["plateaus"])),
        diverged=content["diverged"],
    )
