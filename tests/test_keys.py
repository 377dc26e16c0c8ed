"""What each key of the configuration decides: the table against what its readers do, key by key."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.commands.workspace import parameters
from badger_sweeps.configuration import files
from badger_sweeps.configuration.builder import plan
from badger_sweeps.configuration.naming import run_folder, run_name
from badger_sweeps.core.keys import DECIDES, decides
from badger_sweeps.reporting.studies.evaluation import overrides_of_another_study
from badger_sweeps.runs.provenance import computed_from
from badger_sweeps.runs.run import Plan
from badger_sweeps.search.space import Space
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
from hydra_plugins.badger_sweeper._grammar import SearchParameters
from hydra_plugins.badger_sweeper._specification import search_definition

RULES = Path(__file__).parent / "rules" / "conf"
"""Rules that are not ours: of ours there is one alone."""
BASE = [
    *("topology.experts=6", "topology.links=2", "seeds=2", "device=cpu", "hydra/sweeper=badger"),
    f"hydra.searchpath=[file://{RULES}]",
]
OTHER = {
    "architecture": "exponential", "topology": "strongly_connected", "task": "frequency", "loss": "l1",
    "feedback": "mse", "rule": "random_direction", "device": "cuda",
    "readout": "weighted", "aggregator": "pcgrad", "optimizer": "sgd", "schedule": "cosine", "engine": "reference",
    "measures": "none", "tracking": "disabled", "scale": "quick", "reuse": "false", "seeds": "3",
    "objective": "final_loss",
    "training.loss_steps": "2", "training.inner_steps": "7",
    "measures.cross_check.components": "1",
    "tracking.mode": "online", "tracking.project": "other", "tracking.entity": "somebody",
}  # fmt: skip
"""Another value of keys of which none can be made up."""
SKIPPED = {"study": "sets keys of other groups, each of which is tried alone"}
"""The keys that are not tried, with the reason."""


def composed(overrides: list[str]) -> DictConfig:
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        return compose(files.MAIN_CONFIG, overrides, return_hydra_config=True)


def leaves(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        key: value
        for name, child in node.items()
        for key, value in leaves(child, f"{prefix}.{name}".strip(".")).items()
    }


def another(key: str, value: Any) -> str | None:
    """Another valid value of a key; None where none is known."""
    if key in OTHER:
        return OTHER[key]
    match value:
        case None | "${measures.every}":
            return "2"
        case bool():
            return str(not value).lower()
        case int():
            return str(value + 1)
        case float():
            return repr(value * 0.5)
    return None


def changes() -> dict[str, str | None]:
    """Another value of every group and every key of the default configuration; None where none is known."""
    config = OmegaConf.to_container(composed(BASE))
    keys = {key: value for key, value in leaves(config).items() if not key.startswith("hydra.")}
    groups = {key: None for key in DECIDES if files.choices(key)}
    return {
        key: None if key in SKIPPED else another(key, value)
        for key, value in {**groups, **keys}.items()
        if not key.endswith("_target_")
    }


def planned_from(config: DictConfig, folder: Path) -> Plan:
    return plan(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), config.hydra, folder)


def losses(overrides: list[str], folder: Path) -> np.ndarray:
    """The losses of the first three iterations."""
    population = Population(planned_from(composed(overrides), folder).experiment)
    return np.stack([record.metrics["loss"] for record in islice(train(population), 3)])


def everything(overrides: list[str], folder: Path) -> dict[str, Any]:
    """What the readers of the table make of a configuration."""
    config = composed(overrides)
    planned = planned_from(config, folder)
    own = [override for override in overrides if override not in BASE]
    choices = dict(config.hydra.runtime.choices)
    return {
        "training": planned.experiment.identity,
        "history": computed_from(planned.config),
        "folder": run_folder(choices, own),
        "name": run_name(choices, own),
        "parameter": parameters(planned.config),
        "search": search_definition(config, SearchParameters(Space({}), (), {})),
        "study": overrides_of_another_study(own),
    }


def test_every_key_is_in_the_table() -> None:
    """Those of every choice of every group; and the table has no others."""
    known = [key for key in files.known_keys() if not key.startswith("hydra")]
    for key in known:
        decides(key)
    assert {key.split(".")[0] for key in known} == {key for key in DECIDES if "." not in key}
    assert {key for key in DECIDES if "." in key} <= set(known)


@pytest.mark.parametrize(
    "choice",
    [
        *("architecture=exponential", "architecture=lstm_quantized", "architecture=supervised_lstm", "engine=auto"),
        *("measures=none", "optimizer=adamw", "topology=file", "task=frequency"),
    ],
)
def test_the_keys_of_a_choice_are_those_that_hydra_composes(choice: str) -> None:
    """They are read from the files, some of which inherit from others."""
    group, _, name = choice.partition("=")
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        composed = OmegaConf.to_container(compose("config", [choice]))
    assert isinstance(composed, dict)
    assert files._keys_of(group, name) == {*files._nested(composed[group], group)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return everything(BASE, tmp_path_factory.mktemp("base"))


def test_the_readers_do_what_the_table_says(
    base: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # for `device=cuda`: nothing is trained here
    tried = changes()
    assert {key for key, value in tried.items() if value is None} == set(SKIPPED)
    wrong = {}
    for key, value in tried.items():
        if value is not None:
            found = everything([*BASE, f"{key}={value}"], tmp_path)
            differs = {question: found[question] != base[question] for question in base}
            if differs != decides(key)._asdict():
                wrong[f"{key}={value}"] = differs
    assert not wrong


def test_what_decides_no_number_changes_none(tmp_path: Path) -> None:
    """The losses of training are the same, bit by bit or up to rounding, whatever the table is asked."""
    before = losses(BASE, tmp_path)
    for key, value in changes().items():
        answers = decides(key)
        if key in DECIDES and value is not None and not (answers.training and answers.history):
            after = losses([*BASE, f"{key}={value}"], tmp_path)
            rounding = 0 if not answers.history else 1e-4
            np.testing.assert_allclose(after, before, rtol=rounding, err_msg=key)
