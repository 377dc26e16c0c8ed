"""`summary.json`: what became of each seed, and the run's objective."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badger_sweeps.core.files import write_json
from badger_sweeps.measures.escape import measurable
from badger_sweeps.measures.estimates import Estimate
from badger_sweeps.measures.objectives import Objective, objective
from badger_sweeps.measures.plateaus import Plateau
from badger_sweeps.measures.seed_outcome import Outcome, Rest, outcome
from badger_sweeps.measures.staircase import Ladder
from badger_sweeps.runs.graphs import read_connectivity
from badger_sweeps.runs.history import columns_by_seed, read_history
from badger_sweeps.topologies.connectivity import Connectivity

NAME = "summary.json"


@dataclass(frozen=True)
class Summary:
    """A finished run in brief.

    Attributes:
        name: what the run is called in tables and in W&B.
        budget: the iterations at which times are censored.
        ladder: the ladder and block that plateaus and times were found with.
        outcomes: one for each seed.
        objective: the objective's name.
        value: the objective, lower being better.
        graphs: how well connected each seed's graph is.
    """

    name: str
    budget: int
    ladder: Ladder
    outcomes: tuple[Outcome, ...]
    objective: Objective
    value: Estimate
    graphs: Mapping[int, Connectivity]

    @property
    def measurable(self) -> bool:
        """Whether the budget is long enough for an escape to be seen at all (`escape.measurable`)."""
        return measurable(self.budget, self.ladder)

    def write(self, folder: Path) -> None:
        """Write `summary.json` into the run's folder."""
        content = {
            "name": self.name,
            "budget": self.budget,
            "parts": self.ladder.parts,
            "block": self.ladder.block,
            "measurable": self.measurable,
            "objective": {"name": self.objective, **self.value._asdict(), "seeds": len(self.outcomes)},
            "seeds": [
                {**_outcome_to_json(outcome), "topology": self.graphs[outcome.seed]._asdict()}
                for outcome in self.outcomes
            ],
        }
        write_json(folder / NAME, content)


def summarize(folder: Path, name: str, budget: int, ladder: Ladder, objective_name: Objective) -> Summary:
    """Summarise the run in `folder` from its history and its graphs."""
    columns = columns_by_seed(read_history(folder))
    outcomes = tuple(outcome(seed, metrics, ladder) for seed, metrics in columns.items())
    value = objective(objective_name, outcomes, budget)
    return Summary(name, budget, ladder, outcomes, objective_name, value, read_connectivity(folder))


def read_summary(folder: Path) -> Summary:
    """Read the `summary.json` of a run's folder back."""
    content = json.loads((folder / NAME).read_text())
    judged = content["objective"]
    return Summary(
        name=content["name"],
        budget=content["budget"],
        ladder=Ladder(content["parts"], content["block"]),
        outcomes=tuple(_outcome_from_json(outcome) for outcome in content["seeds"]),
        objective=judged["name"],
        value=Estimate(judged["value"], judged["low"], judged["high"]),
        graphs={outcome["seed"]: Connectivity(**outcome["topology"]) for outcome in content["seeds"]},
    )


def _outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "escape_iteration": outcome.escape_iteration,
        "solved_iteration": outcome.solved_iteration,
        "plateau_iterations": outcome.plateau_iterations,
        "final_loss": outcome.final_loss,
        "diverged": outcome.diverged,
        "iterations": outcome.iterations,
        "plateaus": [
            {**vars(rest.plateau), "loss_dim": list(rest.loss_dim), "grad_norm": rest.grad_norm}
            for rest in outcome.rests
        ],
    }


def _outcome_from_json(content: dict[str, Any]) -> Outcome:
    rests = []
    for plateau in content["plateaus"]:
        loss_dim, grad_norm = tuple(plateau.pop("loss_dim")), plateau.pop("grad_norm")
        rests.append(Rest(Plateau(**plateau), loss_dim, grad_norm))
    return Outcome(
        seed=content["seed"],
        iterations=content["iterations"],
        escape_iteration=content["escape_iteration"],
        solved_iteration=content["solved_iteration"],
        rests=tuple(rests),
        final_loss=content["final_loss"],
        diverged=content["diverged"],
    )
