"""A run's snapshots, restored as populations that measures are taken from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from badger_sweeps.configuration import files
from badger_sweeps.configuration.builder import plan
from badger_sweeps.configuration.recorded import CONFIG, damaged, recorded_config, recorded_hydra
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.runs.checkpoint import CHECKPOINT_FILE, check_identity, read_checkpoint, snapshots
from badger_sweeps.runs.recorded_losses import read_losses, recorded_loss_history
from badger_sweeps.runs.run import Plan
from badger_sweeps.training.population import Population

STANDARD = Path("measures") / "standard.yaml"


def reopened(run: Path, overrides: Sequence[str] = ()) -> Plan:
    """The plan of an existing run, with changed settings of its measures.

    Measures that did not exist when the run was started have the settings of `conf/measures/standard.yaml`.

    Args:
        run: the run's folder.
        overrides: ``measures.KEY=VALUE``.

    Raises:
        UsageError: the key of an override is not a key of `measures`, or its value breaks a rule.
    """
    config, hydra = recorded_config(run), recorded_hydra(run)
    standard = OmegaConf.load(files.folder() / STANDARD)
    config.measures = OmegaConf.merge(standard, config.get("measures") or {})
    OmegaConf.update(hydra, "runtime.choices.measures", "standard", force_add=True)
    known = _keys(cast(DictConfig, config.measures))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or key not in known:
            rule = "must be a key of measures, set as measures.KEY=VALUE"
            raise UsageError(f"`{key or override}` {rule}.{nearest(key, known)}")
        try:
            config = cast(DictConfig, OmegaConf.merge(config, OmegaConf.from_dotlist([f"{key}={value}"])))
        except YAMLError:
            raise UsageError(f"`{key}` must have a value; found {value!r}.") from None
    try:
        return plan(config, hydra, run)
    except OmegaConfBaseException as error:
        raise damaged(run / CONFIG, error) from error


def checkpoints(run: Path, every: int = 1) -> list[Path]:
    """The snapshots in a run's folder at multiples of `every` iterations, and the last checkpoint."""
    last = run / CHECKPOINT_FILE
    kept = [path for path in snapshots(run) if int(path.stem) % every == 0]
    return [*kept, last] if last.exists() else kept


def restored(plan: Plan, paths: Sequence[Path]) -> Iterator[tuple[Population, LossHistory]]:
    """The population at each checkpoint, and its losses until then; a repeated iteration is skipped.

    The population is the same object each time.

    Raises:
        UsageError: a checkpoint is damaged or of another configuration.
    """
    experiment = plan.experiment
    population = Population(experiment)
    history = read_losses(plan.folder, experiment)
    before = None
    for path in paths:
        identity, state = read_checkpoint(path)
        check_identity(identity, experiment.identity, plan.folder)
        if state["iteration"] == before:
            continue
        before = state["iteration"]
        population.load_state_dict(state)
        yield population, recorded_loss_history(experiment, history[history["iteration"] < population.iteration])


def _keys(node: DictConfig, prefix: str = "measures") -> list[str]:
    """The dotted keys of a node, without `_target_`."""
    keys = []
    for key in map(str, node):
        value = OmegaConf.to_container(node)[key]  # type: ignore[index,call-overload]
        keys += _keys(node[key], f"{prefix}.{key}") if isinstance(value, dict) else [f"{prefix}.{key}"]
    return [key for key in keys if not key.endswith("_target_")]
