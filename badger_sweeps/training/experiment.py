"""The settings that decide what a run computes, in one object that checks itself."""

from __future__ import annotations

import hashlib
from dataclasses import field, fields
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Bool
from pydantic import Field, model_validator
from torch import Tensor

from badger_sweeps.aggregators.base import Aggregator
from badger_sweeps.aggregators.mean import MeanGradient
from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.keys import GROUPS, decides
from badger_sweeps.core.random_streams import Purpose, random_stream
from badger_sweeps.core.settings import Count, Positive, Seed, Size, broken_rule, settings
from badger_sweeps.engines.base import Engine
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.feedback.base import Feedback
from badger_sweeps.feedback.same import SameAsLoss
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.readouts.base import Readout
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.rollout import System
from badger_sweeps.rules.base import Rule
from badger_sweeps.rules.gradient_descent import GradientDescent
from badger_sweeps.schedules.base import Schedule
from badger_sweeps.schedules.constant import Constant
from badger_sweeps.tasks.base import Task
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.base import Topology, adjacency
from badger_sweeps.topologies.random import RandomLinks

PARTS = tuple(name for name, group in GROUPS.items() if group.experiment and group.decides.training)
"""The configuration groups whose choice decides the numbers of a run."""


@settings
class Training:
    """Settings of the outer and the inner loop.

    Args:
        iterations: outer iterations, the budget at which times are censored.
        batch_size: games per iteration and member.
        inner_steps: inner steps of a game.
        loss_steps: the outer loss averages the error after each of the last `loss_steps` inner steps.
        clip_norm: the norm to which a longer gradient of a member is scaled down; null: gradients are not clipped.
        checkpoint_every: iterations between checkpoints, each of which replaces the one before.
        snapshot_every: iterations between snapshots, checkpoints that are kept, the first of them before training;
            null: none.
    """

    iterations: Count = 2000
    batch_size: Size = 64
    inner_steps: Size = 20
    loss_steps: Size = 1
    clip_norm: Positive | None = 1.0
    checkpoint_every: Count = 100
    snapshot_every: Count | None = 200

    @model_validator(mode="after")
    def _loss_within_rollout(self) -> Training:
        if self.loss_steps > self.inner_steps:
            found = {"loss_steps": self.loss_steps, "inner_steps": self.inner_steps}
            raise broken_rule("loss_steps", "must be at most {inner_steps}", **found)
        return self


@settings
class Experiment:
    """One configuration, trained as a population of replicates that differ in their seed alone.

    Args:
        seeds: one member for each; they must differ.
        device: ``cpu``, ``cuda``, or ``auto`` for ``cuda`` where there is one.
    """

    architecture: Architecture = field(default_factory=GRU)
    topology: Topology = field(default_factory=RandomLinks)
    task: Task = field(default_factory=GuessingGame)
    loss: Loss = field(default_factory=MeanSquaredError)
    feedback: Feedback = field(default_factory=SameAsLoss)
    readout: Readout = field(default_factory=Mean)
    rule: Rule = field(default_factory=GradientDescent)
    aggregator: Aggregator = field(default_factory=MeanGradient)
    optimizer: Optimizer = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Constant)
    engine: Engine = field(default_factory=Native)
    training: Training = field(default_factory=Training)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = tuple(range(8))
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _seeds_differ(self) -> Experiment:
        repeated = sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1})
        if repeated:
            raise broken_rule("seeds", "must all be different", repeated=repeated)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Experiment:
        """Refuse choices that cannot be combined."""
        learner = type(self.architecture).__name__
        if self.architecture.single_agent and self.topology.experts != 1:
            rule = f"must be 1 (topology=single) with {learner}, a single-agent architecture"
            raise broken_rule("topology.experts", rule, str(self.topology.experts))
        if self.architecture.single_agent and not isinstance(self.readout, Mean):
            rule = f"must be Mean with {learner}, a single-agent architecture"
            raise broken_rule("readout", rule, type(self.readout).__name__)
        if self.architecture.supervised and not self.task.inputs:
            rule = f"must be one with inputs (task=frequency) with {learner}, which reads them"
            raise broken_rule("task", rule, type(self.task).__name__)
        if self.architecture.supervised and self.training.inner_steps != 1:
            rule = f"must be 1 with {learner}, which has no inner loop"
            raise broken_rule("training.inner_steps", rule, str(self.training.inner_steps))
        if self.architecture.supervised and not isinstance(self.feedback, SameAsLoss):
            rule = f"must be SameAsLoss with {learner}, which reads no error"
            raise broken_rule("feedback", rule, type(self.feedback).__name__)
        if not self.rule.aggregates and not isinstance(self.aggregator, MeanGradient):
            rule = f"must be MeanGradient with {type(self.rule).__name__}, which aggregates no gradients"
            raise broken_rule("aggregator", rule, type(self.aggregator).__name__)
        return self

    @model_validator(mode="after")
    def _device_exists(self) -> Experiment:
        if self.device == "cuda" and not torch.cuda.is_available():
            raise broken_rule("device", "must be one this machine has", device=self.device, cuda_devices=0)
        return self

    @property
    def torch_device(self) -> torch.device:
        """The device that `device` stands for on this machine."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    @property
    def system(self) -> System:
        """The learner and its task."""
        return System(self.architecture, self.readout, self.task, self.loss, self.feedback.loss(self.loss))

    @property
    def objective(self) -> OuterObjective:
        """The outer objective on the members' graphs, before annealing (`OuterObjective.at`)."""
        training = self.training
        graphs = adjacency(self.graphs).to(self.torch_device)
        return OuterObjective(self.system, graphs, training.inner_steps, training.loss_steps)

    @cached_property
    def graphs(self) -> Bool[Tensor, "population expert expert"]:
        """Each seed's graph (`Topology.draw`). It is drawn on the CPU, so that it does not depend on the device."""
        return torch.stack([self.topology.draw(random_stream(seed, Purpose.TOPOLOGY)) for seed in self.seeds])

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that decide the numbers, as flat keys and plain values. Equal identities mean the same run.

        It leaves out the engine and the intervals of checkpoints, which change no number beyond its rounding, and the
        number of iterations, so that a run can be continued past its budget. It contains a hash of the graphs: those of
        a file, or of a topology whose code has changed, may differ although no setting does.
        """
        identity: dict[str, Any] = {"seeds": list(self.seeds), "device": self.torch_device.type}
        for part in (*PARTS, "training"):
            settings = getattr(self, part)
            identity[part] = _name(type(settings))
            identity |= {f"{part}.{field.name}": getattr(settings, field.name) for field in fields(settings)}
        identity["topology.graphs"] = f"sha256 {hashlib.sha256(self.graphs.numpy().tobytes()).hexdigest()}"
        return {key: value for key, value in identity.items() if decides(key).training}


def _name(kind: type) -> str:
    """The name of a class, with its module if it is not of this package."""
    ours = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return kind.__name__ if ours else f"{kind.__module__}.{kind.__qualname__}"
