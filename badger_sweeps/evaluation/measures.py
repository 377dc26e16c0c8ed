"""The settings of all measures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Annotated

from pydantic import Field

from badger_sweeps.core.columns import Columns, columns
from badger_sweeps.core.settings import Count, Positive, settings
from badger_sweeps.evaluation.adding_experts import AddingExperts
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.binding import Binding, InnerBinding
from badger_sweeps.evaluation.cross_check import CrossCheck
from badger_sweeps.evaluation.fixed_loss import FixedLoss
from badger_sweeps.evaluation.frequencies import Frequencies
from badger_sweeps.evaluation.gates import Gates
from badger_sweeps.evaluation.gradients import GradientConflict
from badger_sweeps.evaluation.guesses import Guesses
from badger_sweeps.evaluation.hurst import HurstExponents
from badger_sweeps.evaluation.inner_chaos import InnerChaos
from badger_sweeps.evaluation.inner_loop import InnerLoop
from badger_sweeps.evaluation.loss_chaos import LossChaos
from badger_sweeps.evaluation.message_ablation import MessageAblation
from badger_sweeps.evaluation.modes import InnerModes
from badger_sweeps.evaluation.mutual_information import MutualInformation
from badger_sweeps.evaluation.saddles import Saddles
from badger_sweeps.evaluation.sequentiality import Sequentiality
from badger_sweeps.training.experiment import Experiment

FEWEST_GAMES = 1000
"""Minimum number of games: with fewer, the bias of the estimators becomes too large for its correction."""


@settings
class Measures:
    """The settings of all measures.

    Args:
        every: iterations between measurements, for the measures whose `every` refers to it; null never measures them.
        games: number of evaluation games of each member.
        noise: variance of the noise floor, relative to that of the states (`measures.information.noise`).
    """

    every: Count | None = 100
    games: Annotated[int, Field(ge=FEWEST_GAMES, le=10**6)] = FEWEST_GAMES
    noise: Positive = 0.01
    fixed_loss: FixedLoss = field(default_factory=FixedLoss)
    guesses: Guesses = field(default_factory=Guesses)
    mutual_information: MutualInformation = field(default_factory=MutualInformation)
    binding: Binding = field(default_factory=Binding)
    inner_binding: InnerBinding = field(default_factory=InnerBinding)
    hurst: HurstExponents = field(default_factory=HurstExponents)
    sequentiality: Sequentiality = field(default_factory=Sequentiality)
    frequencies: Frequencies = field(default_factory=Frequencies)
    adding_experts: AddingExperts = field(default_factory=AddingExperts)
    cross_check: CrossCheck = field(default_factory=CrossCheck)
    message_ablation: MessageAblation = field(default_factory=MessageAblation)
    inner_loop: InnerLoop = field(default_factory=InnerLoop)
    gates: Gates = field(default_factory=Gates)
    gradients: GradientConflict = field(default_factory=GradientConflict)
    saddles: Saddles = field(default_factory=Saddles)
    inner_chaos: InnerChaos = field(default_factory=InnerChaos)
    loss_chaos: LossChaos = field(default_factory=LossChaos)
    modes: InnerModes = field(default_factory=InnerModes)

    @property
    def by_name(self) -> Mapping[str, Measure]:
        """All measures by their keys, including those that are never taken."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Measure)}

    def of(self, experiment: Experiment) -> Sequence[Measure]:
        """The measures that apply to the experiment and have an `every`."""
        return [
            measure for measure in self.by_name.values() if measure.every is not None and measure.columns(experiment)
        ]

    def columns(self, experiment: Experiment) -> Columns:
        """The columns of the measures of `of`."""
        return columns(*(column for measure in self.of(experiment) for column in measure.columns(experiment).values()))
