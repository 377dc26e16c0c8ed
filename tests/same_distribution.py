"""``python -m tests.same_distribution COMMIT [FOLDER]``: whether runs here are distributed as those of another commit.

What a new numbering of runs must pass: every random number has changed, but nothing else. Both checkouts train the same
configurations with 64 seeds through the command line, with the standard measures every 1000 iterations. A seed has the
same weights and graph in both, and other games. For each configuration and each quantity of a seed, three tests ask
whether the two differ: a t-test of the paired differences (location), the two-sample test of Kolmogorov and
Smirnov (distribution), and the number of seeds that have a value (McNemar's exact test): of times those that reached
them, of measures those of which they could be taken. With nothing but other random numbers, the smallest of all
p-values after Holm's adjustment is below .05 at most once in twenty times. It finds large differences alone: with
hundreds of tests a shift of 0.7 standard deviations may be missed. Prints a table, and quantities that only one commit
has; exit status 1 if one p is below .01. Runs are kept in FOLDER, if it is given, and an interrupted comparison goes on
there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from badger_sweeps.statistics.multiple_testing import holm

ROOT = Path(__file__).parent.parent
SEEDS = 64
COMMON = (
    *("measures.every=1000", "tracking=disabled", f"seeds={SEEDS}", "training.snapshot_every=null"),
    *("architecture.hidden=16", "training.inner_steps=10", "training.batch_size=32"),
)
BADGER = ("architecture.message=4", "topology.experts=8", "topology.links=3", "task.dims=2", "optimizer.lr=0.003")
CONFIGURATIONS = {
    "gru": (*BADGER, "training.iterations=3000"),
    "exponential": (*BADGER, "architecture=exponential", "training.iterations=2000"),
    "tcnn": (*BADGER, "architecture=tcnn", "training.iterations=2000"),
    "l1": (*BADGER, "loss=l1", "training.iterations=3000"),
    "lstm": ("architecture=lstm", "topology=single", "task.dims=2", "optimizer.lr=0.003", "training.iterations=3000"),
    "frequency": (
        *("architecture=lstm", "topology=single", "task=frequency", "task.dims=5", "task.phases=independent"),
        *("optimizer.lr=0.003", "training.iterations=2000"),
    ),
}
TIMES = ("escape_iteration", "solved_iteration")
NOT_COMPARED = re.compile(r"(evaluation/)?loss_dim/|plateau/|schedule/|cost/|.*/\d\d__\d\d$")
"""Columns with a slash that are no measures of their own, or one of a pair of experts."""


def run(checkout: Path, folder: Path) -> None:
    """All configurations by one checkout."""
    for name, words in CONFIGURATIONS.items():
        line = [sys.executable, "-m", "badger_sweeps", *COMMON, *words, f"hydra.run.dir={folder / name}"]
        print(f"{checkout.name}: {name}", flush=True)
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        subprocess.run(line, cwd=checkout, check=True, env=environment, stdout=subprocess.DEVNULL)


def quantities(folder: Path) -> pd.DataFrame:
    """What is compared, a row for each seed; times that were not reached are NaN."""
    outcomes = json.loads((folder / "summary.json").read_text())["seeds"]
    summary = pd.DataFrame(outcomes).set_index("seed")
    found = summary[[*TIMES, "plateau_iterations", "final_loss"]].apply(pd.to_numeric)
    recorded = pd.read_parquet(folder / "history.parquet")
    history = recorded.groupby("seed")
    found["mean loss"] = history["loss"].mean()
    found["mean of log grad_norm"] = history["grad_norm"].agg(lambda norms: np.log(norms).mean())
    found["loss at the start"] = history["loss"].agg(lambda loss: loss.iloc[:20].mean())
    found["spread of the loss at the end"] = history["loss"].agg(lambda loss: loss.iloc[-200:].std())
    measures = recorded.select_dtypes("number").filter(regex="/").columns
    for name in (name for name in measures if not NOT_COMPARED.match(name)):
        measured = recorded.loc[recorded[name].notna(), ["seed", name]].groupby("seed")[name]
        if len(measured):
            found[f"first {name}"], found[f"last {name}"] = measured.first(), measured.last()
    return found


def comparisons(name: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[dict[str, object]]:
    """A row for each quantity of a configuration, with the p-values."""
    budget = int(next(word for word in CONFIGURATIONS[name] if "iterations" in word).partition("=")[2])
    for column in old.columns.intersection(new.columns):
        found = [values[column].notna().to_numpy() for values in (old, new)]
        both = pd.concat([old[column], new[column]], axis=1)
        both = both.fillna(budget) if column in TIMES else both.dropna()  # what could not be measured of a seed is NaN
        before, after = both.to_numpy(dtype=float).T
        row = {"configuration": name, "quantity": column}
        if both.size and np.ptp(both):
            row |= {"old": np.median(before), "new": np.median(after)}
            row["paired p"] = stats.ttest_rel(after, before).pvalue
            row["KS p"] = stats.ks_2samp(before, after).pvalue
        only_old, only_new = (int((one & ~other).sum()) for one, other in (found, found[::-1]))
        if only_old + only_new:
            row["found"] = f"{found[0].sum()} / {found[1].sum()}"
            row["found p"] = stats.binomtest(only_old, only_old + only_new).pvalue
        if len(row) > 2:
            yield row


def main() -> None:
    commit, *kept = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        folder, checkout = Path(kept[0]) if kept else Path(scratch), Path(scratch) / "checkout"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", checkout, commit], check=True)
        try:
            run(checkout, folder / "old")
            run(ROOT, folder / "new")
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", checkout], check=True)
        pairs = {name: [quantities(folder / which / name) for which in ("old", "new")] for name in CONFIGURATIONS}
    table = pd.DataFrame([row for name, pair in pairs.items() for row in comparisons(name, *pair)])
    tests = ["paired p", "KS p", "found p"]
    given = table[tests].to_numpy().ravel()
    adjusted = [p for p in holm([None if np.isnan(p) else float(p) for p in given]) if p is not None]
    print(table.to_string(index=False, na_rep="", float_format="{:.4g}".format))
    for name, (old, new) in pairs.items():
        if different := sorted(old.columns.symmetric_difference(new.columns)):
            print(f"{name}: only one commit has {', '.join(different)}")
    print(f"{len(adjusted)} tests; the smallest p after Holm's adjustment is {min(adjusted):.3g}")
    sys.exit(int(min(adjusted) < 0.01))


if __name__ == "__main__":
    main()
