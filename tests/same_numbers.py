"""``python -m tests.same_numbers COMMIT [OLD=NEW ...]``: whether this checkout computes what another commit computes.

What a refactoring must pass: the same multiruns are run by both through the command line, and every column of the other
commit's histories is compared to the bit with this checkout's. ``OLD=NEW`` is a part of keys and columns that has been
renamed since that commit. Columns that only this checkout has are listed. Exit status 1 where any number differs. It
takes some minutes; it is no test of the suite, since the other commit is a moving target.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import yaml

from tests.choices import choices_of

ROOT = Path(__file__).parent.parent
TINY = ("training.iterations=5", "training.batch_size=4", "seeds=[3,8]", "measures=none", "tracking=disabled")
BADGER = ("architecture.hidden=4", "architecture.message=2", "training.inner_steps=3")
SINGLE_AGENT = ("topology=single", "architecture.hidden=4", "training.inner_steps=3")
ALL = (
    *(
        "fixed_loss",
        "guesses",
        "mutual_information",
        "binding",
        "inner_binding",
        "hurst",
        "sequentiality",
        "frequencies",
    ),
    *("adding_experts", "message_ablation", "inner_loop", "gates", "gradients", "saddles", "inner_chaos", "modes"),
)
MEASURED = (
    *("training.batch_size=8", "training.snapshot_every=20", "tracking=disabled", "seeds=[2,5]"),
    *("architecture.hidden=4", "measures.saddles.eigenvalues=2", "measures.saddles.games=8", "task.dims=3"),
    *(f"measures.{name}.every=20" for name in ALL),
)
EXPERTS = {"single": (), "file": (f"topology.file={ROOT / 'tests' / 'ring_of_five.txt'}",)}
LINKS = ("random", "strongly_connected", "small_world")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each multirun: its folder, and what is typed. Run twice in a row where the name says so: the second goes on."""
    for topology in choices_of("topology"):
        sizes = EXPERTS.get(topology, ("topology.experts=5", *(["topology.links=2"] if topology in LINKS else [])))
        worlds = ("task=guessing_game,frequency", "task.dims=5", "loss=mse,l1", "readout=mean,weighted")
        graphs = (f"topology={topology}", *sizes)
        yield topology, [*TINY, *BADGER, *graphs, *worlds, "architecture=gru,exponential,tcnn"]
        yield f"{topology}-reference", [*TINY, *BADGER, *graphs, *worlds, "architecture=gru,tcnn", "engine=reference"]
    for engine in ("native", "reference"):
        worlds = ("task=guessing_game,frequency", "task.dims=5", "loss=mse,l1", f"engine={engine}")
        yield f"single_agent-{engine}", [*TINY, *SINGLE_AGENT, *worlds, "architecture=lstm,lstm_quantized"]
        yield f"supervised-{engine}", [
            *TINY, *SINGLE_AGENT[:2], "training.inner_steps=1", "task=frequency", "task.dims=5", "loss=mse,l1",
            "architecture=supervised_lstm", f"engine={engine}",
        ]  # fmt: skip
        steps = ("training.loss_steps=1,2,3", "training.clip_norm=null,0.1", "architecture.reset_gate=true,false")
        yield f"steps-{engine}", [*TINY, *BADGER, *steps, "loss=mse,l1", f"engine={engine}"]
    rates = ("optimizer=adam,adamw,rmsprop,sgd", "schedule=constant,cosine,exponential,step", "optimizer.lr=0.02")
    yield "optimizers", [*TINY, *BADGER, *rates]
    yield "defaults", ["training.iterations=30", "seeds=3", "tracking=disabled", "architecture=gru,exponential,tcnn"]
    for half in (20, 40):  # the second command goes on from the first one's checkpoints
        budget = f"training.iterations={half}"
        graphs = ("topology.experts=5", "topology.links=2")
        yield "measured", [*MEASURED, budget, *graphs, "architecture=gru,exponential"]
        yield "measured-tcnn", [*MEASURED, budget, *graphs, "architecture=tcnn", "architecture.beta=0.05"]
        yield "measured-single", [*MEASURED, budget, "architecture=lstm,lstm_quantized", "topology=single"]
        yield "measured-frequency", [*MEASURED, budget, "task=frequency", "task.dims=7", "topology.experts=5"]


def run(checkout: Path, folder: Path, renamed: Mapping[str, str]) -> None:
    """All multiruns by one checkout; ``renamed`` gives its words for some of this checkout's."""
    for name, words in commands():
        spoken = [_translated(word, renamed) for word in words]
        line = [sys.executable, "-m", "badger_sweeps", "-m", *spoken, f"hydra.sweep.dir={folder / name}"]
        print(f"{checkout}: {name}", flush=True)
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        subprocess.run(line, cwd=checkout, check=True, env=environment, stdout=subprocess.DEVNULL)


def histories(folder: Path, renamed: Mapping[str, str]) -> dict[tuple[str, ...], Path]:
    """The histories below a folder by multirun and overrides, since names of runs may have changed."""
    found = {}
    for path in sorted(folder.rglob("history.parquet")):
        overrides = yaml.safe_load((path.parent / ".hydra" / "overrides.yaml").read_text())
        multirun = path.parent.parent.name
        found[multirun, *(_translated(override, renamed) for override in overrides)] = path
    return found


def differences(before: Path, after: Path, renamed: Mapping[str, str]) -> Iterator[str]:
    """What differs between two histories, a line for each column; ``renamed`` gives the second one's words."""
    old, new = (pq.read_table(path).to_pandas() for path in (before, after))
    old.columns = [_translated(name, renamed) for name in old]
    for name in old:
        if name not in new:
            yield f"{name} is missing"
            continue
        if _bits(old[name]) != _bits(new[name]):
            yield f"{name} differs"


def _translated(text: str, renamed: Mapping[str, str]) -> str:
    for word, other in renamed.items():
        text = text.replace(word, other)
    return text


def _bits(column: pd.Series) -> list[bytes | None] | bytes:
    """A column's numbers as they are in memory; of vectors one by one."""
    if column.dtype == object:
        return [None if value is None else value.tobytes() for value in column]
    return column.to_numpy().tobytes()


def main() -> None:
    commit, *renamings = sys.argv[1:]
    to_new = dict(renaming.split("=") for renaming in renamings)
    to_old = {new: old for old, new in to_new.items()}
    with tempfile.TemporaryDirectory() as scratch:
        checkout, folder = Path(scratch) / "checkout", Path(scratch) / "runs"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", checkout, commit], check=True)
        try:
            run(checkout, folder / "before", to_old)
            run(ROOT, folder / "after", {})
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", checkout], check=True)
        before, after = histories(folder / "before", to_new), histories(folder / "after", {})
        found, further = [], set[str]()
        for overrides, path in before.items():
            if overrides not in after:
                found.append(f"{overrides}: was not run")
                continue
            found += [f"{overrides}: {line}" for line in differences(path, after[overrides], to_new)]
            known = {_translated(name, to_new) for name in pq.read_table(path).column_names}
            further |= {*pq.read_table(after[overrides]).column_names} - known
    print("\n".join(found))
    print(f"{len(before)} histories compared with {commit}; {len(found)} differences; new: {sorted(further)}")
    raise SystemExit(1 if found or not before else 0)


if __name__ == "__main__":
    main()
