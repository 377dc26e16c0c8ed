"""Measures of a population taken from some members at a time, so that memory does not grow with the population."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.engines.base import Engine
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.evaluation.games import EvaluationGames
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.measures.information.conditioning import GAMES_PER_TERM
from badger_sweeps.training.draws import draw_games
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Population

HELD_NUMBERS = {"cpu": 2**23, "cuda": 2**28}
"""Most numbers that belong to a population whose games are held, by device. 2**23 are 32 MB: 10 members of 1000 games,
16 experts and 32 units. Drawing the games of the default settings again takes a tenth of the time of their rollout."""
CHUNK_NUMBERS = {"cpu": 2**21, "cuda": 2**28}
"""Numbers that belong to a chunk, about, by device."""
CHUNKS_PER_TRIM = 4
"""Chunks after which freed memory is returned to the system, which the C library would otherwise keep in pieces."""


class EvaluationChunks:
    """The evaluation games of a population, in chunks of members that are measured one after another.

    With the native engine each member has the same value in any chunk, and with any number of threads. With the
    reference engine, which multiplies the matrices of a chunk at once, that holds up to rounding, and so it does with
    any engine for `gradients`, `inner_chaos` and `cross_check`. The games of a small population are held. Those of
    a chunk of a larger one are drawn when it is measured and then freed: for 1024 members of 8 experts they would take
    0.7 GB.

    Args:
        experiment: the experiment of the population.
        engine: computes the rollouts; a chunk has at least one member for each of its threads.
        games: number of games of each member.
        noise: relative variance of the noise floor (`measures.information.noise`).
    """

    def __init__(self, experiment: Experiment, engine: Engine, games: int, noise: float) -> None:
        self._experiment, self._engine, self._games, self._noise = experiment, engine, games, noise
        self._of_chunk: dict[int, EvaluationGames] = {}

    def measure(
        self, measures: Sequence[Measure], population: Population, loss_history: LossHistory
    ) -> dict[str, Tensor]:
        """The values of the measures for all members in training, by column; on the CPU.

        Raises:
            ValueError: no member is in training.
        """
        starts = range(0, len(self._experiment.seeds), self._size)
        training = [first for first in starts if population.active[first : first + self._size].any()]
        if not training:
            raise ValueError("measures need a member that is in training; found none")
        chunks = []
        for first in training:
            chunks.append(self._measured(first, measures, population, loss_history))
            if len(chunks) % CHUNKS_PER_TRIM == 0:
                _return_freed_memory()
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}

    def _measured(
        self, first: int, measures: Sequence[Measure], population: Population, loss_history: LossHistory
    ) -> dict[str, Tensor]:
        """The values for the chunk that begins with this member. What takes memory is freed."""
        evaluation = self._of_chunk.get(first) or self._evaluation_games(first)
        self._of_chunk[first] = evaluation
        context = EvaluationContext.of(population, evaluation, loss_history, first)
        values = {name: value for measure in measures for name, value in measure.measure(context).items()}
        if not self._held:
            evaluation.release()
        return {name: value.detach().cpu() for name, value in values.items()}

    def _evaluation_games(self, first: int) -> EvaluationGames:
        """Those of the chunk that begins with this member."""
        seeds = self._experiment.seeds[first : first + self._size]
        return EvaluationGames(replace(self._experiment, seeds=seeds), self._engine, self._games, self._noise)

    @cached_property
    def _size(self) -> int:
        """Members of a chunk: equally many for each of the engine's threads."""
        threads = self._engine.thread_count
        return threads * max(1, round(CHUNK_NUMBERS[self._device] / self._numbers / threads))

    @property
    def _held(self) -> bool:
        """Whether the games of all members are held."""
        return len(self._experiment.seeds) * self._numbers <= HELD_NUMBERS[self._device]

    @cached_property
    def _numbers(self) -> int:
        """Numbers that belong to a member, about: its games, and what its states are conditioned on."""
        experiment = self._experiment
        random = RandomBatches.of(experiment.seeds[:1], Purpose.MEASURES, experiment.torch_device)
        one = draw_games(experiment, 1, random, random)
        states = sum(shape.numel() for shape in one.state_shapes.values())
        drawn = one.targets.numel() + one.inputs.numel() + states
        return self._games * (drawn + self._games // GAMES_PER_TERM)

    @property
    def _device(self) -> str:
        return self._experiment.torch_device.type


def _return_freed_memory() -> None:
    """Have the C library return the memory that it keeps to the system; only glibc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
