"""What each key of the configuration decides: the table against what its five readers do, key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.configuration import files
from badger_sweeps.configuration.builder import plan
from badger_sweeps.configuration.naming import run_folder, run_name
from badger_sweeps.core.keys import DECIDES, decides
from badger_sweeps.reporting.studies.evaluation import overrides_of_another_study
from badger_sweeps.runs.provenance import computed_from
from badger_sweeps.search.space import Space
from hydra_plugins.badger_sweeper._grammar import SearchParameters
from hydra_plugins.badger_sweeper._specification import search_definition

BASE = ["topology.experts=6", "topology.links=2", "seeds=2", "device=cpu", "hydra/sweeper=badger"]
OTHER = {
    "architecture": "exponential", "topology": "strongly_connected", "task": "frequency", "loss": "l1",
    "feedback": "mse",
    "readout": "weighted", "aggregator": "pcgrad", "optimizer": "sgd", "schedule": "cosine", "engine": "reference",
    "measures": "none", "tracking": "disabled", "scale": "quick", "reuse": "false", "seeds": "3",
    "objective": "final_loss",
    "training.loss_steps": "2", "training.inner_steps": "7",
}  # fmt: skip
"""Another value of keys of which none can be made up."""
NOT_SET = ("rule", "study", "device", "measures")
"""Groups of one choice, a study (which sets other keys), a device that is not here, and settings of single measures."""


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
        return OTHER[key] or None
    match value:
        case bool():
            return str(not value).lower()
        case int():
            return str(value + 1)
        case float():
            return repr(value * 0.5)
    return None


def changes() -> list[str]:
    """An override for every key of the configuration that another value is known of."""
    config = OmegaConf.to_container(composed(BASE))
    found = {group: OTHER[group] for group in OTHER if "." not in group}
    for key, value in leaves(config).items():
        if key.endswith("_target_") or key.split(".")[0] in (*NOT_SET, "hydra"):
            continue
        if (other := another(key, value)) is not None:
            found.setdefault(key, other)
    return [f"{key}={value}" for key, value in found.items()]


def everything(overrides: list[str], folder: Path) -> dict[str, Any]:
    """What the five readers make of a configuration."""
    config = composed(overrides)
    job, hydra = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), config.hydra
    planned = plan(job, hydra, folder)
    own = [override for override in overrides if override not in BASE]
    choices = dict(hydra.runtime.choices)
    return {
        "training": planned.experiment.identity,
        "history": computed_from(planned.config),
        "name": (run_folder(choices, own), run_name(choices, own)),
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


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return everything(BASE, tmp_path_factory.mktemp("base"))


def test_the_readers_do_what_the_table_says(base: dict[str, Any], tmp_path: Path) -> None:
    tried = changes()
    assert len(tried) > 30
    for override in tried:
        key = override.partition("=")[0]
        answers = decides(key)._asdict()
        found = everything([*BASE, override], tmp_path)
        differs = {question: found[question] != base[question] for question in answers}
        assert differs == answers, override
