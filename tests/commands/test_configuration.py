"""Every YAML file composes, builds, and begins with a description."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from badger_sweeps.aggregators.base import Aggregator
from badger_sweeps.architectures.base import Architecture
from badger_sweeps.configuration import files
from badger_sweeps.configuration.builder import EXPERIMENT_GROUPS, plan, plan_of
from badger_sweeps.configuration.naming import choice_name, run_folder, run_name
from badger_sweeps.configuration.resolvers import SCALES
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.keys import GROUPS
from badger_sweeps.engines.base import Engine
from badger_sweeps.feedback.base import Feedback
from badger_sweeps.losses.base import Loss
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.readouts.base import Readout
from badger_sweeps.rules.base import Rule
from badger_sweeps.schedules.base import Schedule
from badger_sweeps.tasks.base import Task
from badger_sweeps.topologies.base import Topology
from badger_sweeps.tracking.base import Tracking
from badger_sweeps.training.experiment import Experiment, Training
from tests.choices import composed

FILES = sorted(files.folder().rglob("*.yaml"))
BASES = {
    "architecture": Architecture,
    "topology": Topology,
    "task": Task,
    "loss": Loss,
    "feedback": Feedback,
    "readout": Readout,
    "rule": Rule,
    "aggregator": Aggregator,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "engine": Engine,
    "tracking": Tracking,
}
CHOICES = [(path.parent.name, path.stem) for path in FILES if path.parent.name in BASES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_begins_with_a_description(path: Path) -> None:
    first, *rest = path.read_text().splitlines()
    line = rest[0] if first.startswith("# @package") else first
    assert line.startswith("# ")
    assert line.endswith((".", "?"))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_builds_an_object_of_its_groups_class(group: str, choice: str) -> None:
    config = composed(group, choice)
    assert isinstance(instantiate(config[group]), BASES[group])


@pytest.mark.parametrize(("group", "choice"), [pair for pair in CHOICES if pair[0] != "tracking"])
def test_every_setting_of_a_choice_is_in_its_file(group: str, choice: str) -> None:
    """A setting without a line in the YAML file would be missing from `--cfg job`."""
    config = composed(group, choice)
    settings = {field.name for field in fields(instantiate(config[group]))}
    assert {str(key) for key in config[group]} - {"_target_"} == settings


def test_the_defaults_are_those_of_the_library() -> None:
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        config = compose(files.MAIN_CONFIG, return_hydra_config=True)
    job = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    planned = plan(job, config.hydra, Path("nowhere"))
    assert planned.experiment == Experiment()
    assert set(config.training) == set(Training.__dataclass_fields__)
    assert planned.name == "gru"


def test_runs_from_before_a_group_existed_have_its_default(tmp_path: Path) -> None:
    """They can still be reported, measured and delivered, although their configurations lack the group."""
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        config = compose(files.MAIN_CONFIG, ["hydra.run.dir=x"], return_hydra_config=True)
    for group in (name for name, group in GROUPS.items() if group.added_later):
        with open_dict(config):
            del config[group]
            del config.hydra.runtime.choices[group]
    folder = tmp_path / ".hydra"
    folder.mkdir()
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.save(job, folder / "config.yaml")
    OmegaConf.save(OmegaConf.masked_copy(config, ["hydra"]), folder / "hydra.yaml")
    assert plan_of(tmp_path).experiment == Experiment()
    with pytest.raises(UsageError, match="`feedback` must be one choice of its group; found none"):
        plan(job, config.hydra, tmp_path)


STUDIES = [path.stem for path in FILES if path.parent.name == "study"]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("study", STUDIES)
def test_every_study_composes_at_every_scale(study: str, scale: str) -> None:
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        config = compose(files.MAIN_CONFIG, [f"study={study}", f"scale={scale}"], return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        job = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
        planned = plan(job, config.hydra, Path("nowhere"))
    assert planned.tags[0] == study
    assert config.hydra.mode.name == "MULTIRUN"
    folder = f"runs/{study}" + ("_quick" if scale == "quick" and "by_scale" in source(study) else "")
    assert config.hydra.sweep.dir == folder


def test_the_search_has_loss_and_feedback_as_two_parameters() -> None:
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        config = compose(files.MAIN_CONFIG, ["study=shorten_plateaus"], return_hydra_config=True)
    searched = config.hydra.sweeper.params
    assert searched.loss == searched.feedback == "choice(mse, l1)"
    assert config.hydra.runtime.choices.feedback == "mse"  # the first trial is the document's: squares for both


def source(study: str) -> str:
    return (files.folder() / "study" / f"{study}.yaml").read_text()


def test_confirmation_is_on_seeds_that_the_search_does_not_use() -> None:
    for seeds, expected in ((8, "[8,9,10]"), ([3, 40, 5], "[41,42,43]")):
        config = OmegaConf.create({"seeds": seeds, "fresh": "${fresh_seeds:3}"})
        assert config.fresh == expected


def test_names() -> None:
    choices = {"architecture": "exponential", "loss": "l1", "tracking": "disabled"}
    overrides = ["seeds=3", "architecture=exponential", "optimizer.lr=0.1", "loss=l1", "tracking=disabled", "study=x"]
    assert run_name(choices, overrides) == "exponential,l1,optimizer.lr=0.1"
    assert run_folder(choices, overrides) == "exponential,l1,optimizer.lr=0.1,seeds=3"
    assert run_folder(choices, ["architecture={hidden:3}"]) == "exponential,architecture={hidden:3}"
    assert run_folder(choices, ["training.iterations=9"]) == "exponential"
    assert run_name({**choices, "measures": "none"}, ["measures=none"]) == "exponential,measures=none"
    assert run_folder(choices, ["topology.file=/a/b"]) == "exponential,topology.file=_a_b"


def test_long_names_stay_different() -> None:
    choices = {"architecture": "gru"}
    names = [run_folder(choices, [f"training.{'x' * 200}={value}"]) for value in (1, 2)]
    assert names[0] != names[1]
    assert all(len(name) <= 120 for name in names)


def test_names_distinguish_loss_and_feedback() -> None:
    """And likewise all groups: a name without a group is of one group only. (The architecture always comes first.)"""
    choices = {"architecture": "gru", "loss": "l1", "feedback": "l1", "readout": "mean", "aggregator": "mean"}
    assert run_name(choices, ["loss=l1"]) == "gru,l1"
    assert run_name(choices, ["feedback=l1"]) == "gru,feedback=l1"
    assert run_name(choices, ["aggregator=mean", "readout=mean"]) == "gru,aggregator=mean,mean"
    named = [
        choice_name(group, choice) for group, choice in CHOICES if group not in ("architecture", "engine", "tracking")
    ]
    assert len(named) == len(set(named))


def test_the_builder_knows_all_groups() -> None:
    assert {*EXPERIMENT_GROUPS, "tracking"} == set(BASES)


def test_defaults_and_help_have_all_groups() -> None:
    config = OmegaConf.load(files.folder() / "config.yaml")
    defaults = [name for line in config.defaults if isinstance(line, DictConfig) for name in line]
    assert {name for name in defaults if not str(name).startswith("override ")} == set(GROUPS)
    template = OmegaConf.to_container(config.hydra.help, resolve=False)["template"]
    assert set(re.findall(r"\$\{choices:(\w+)\}", template)) == set(GROUPS)
