"""The evaluation context: weights, games and losses that measures read at one iteration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, random_stream
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Trace
from badger_sweeps.evaluation.games import EvaluationGames
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.measures.information.noise import with_noise_floor
from badger_sweeps.measures.information.reduction import Basis, project
from badger_sweeps.measures.one_by_one import one_by_one
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games, System
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Population


@dataclass(frozen=True)
class EvaluationContext:
    """The members still in training at the start of an iteration, with their weights and their results on the games.

    Each property is computed at its first use, and once. All tensors hold these members only, in the population's
    order.

    Attributes:
        evaluation: the evaluation games, with bases and noise, of these members and perhaps of others.
        iteration: the iteration; annealed settings have their values of this iteration.
        members: indices of the members in the population.
        parameters: the members' weights.
        loss_history: the losses of all earlier iterations.
        first: index in the population of the first member that `evaluation` has games of.
    """

    evaluation: EvaluationGames
    iteration: int
    members: Int[Tensor, " member"]
    parameters: Weights
    loss_history: LossHistory
    first: int = 0

    @classmethod
    def of(
        cls, population: Population, evaluation: EvaluationGames, loss_history: LossHistory, first: int = 0
    ) -> EvaluationContext:
        """The context, at the current iteration, of the members that `evaluation` has games of."""
        active = population.active[first : first + len(evaluation.experiment.seeds)]
        members = active.nonzero().flatten() + first
        parameters = Weights(population.parameters.flat[members], population.parameters.shapes)
        return cls(evaluation, population.iteration, members, parameters, loss_history, first)

    @property
    def experiment(self) -> Experiment:
        """The experiment, of all members that `evaluation` has games of."""
        return self.evaluation.experiment

    @property
    def seeds(self) -> list[int]:
        """The members' seeds."""
        return [self.experiment.seeds[row] for row in self._rows.tolist()]

    @property
    def _rows(self) -> Int[Tensor, " member"]:
        """Indices of the members among those that `evaluation` has games of."""
        return self.members - self.first

    @cached_property
    def objective(self) -> OuterObjective:
        """The outer objective at this iteration, on the members' graphs."""
        return self.evaluation.objective.of(self._rows).at(self.iteration)

    @property
    def system(self) -> System:
        """Architecture, readout, task, loss and feedback at this iteration."""
        return self.objective.system

    @property
    def adjacency(self) -> Float[Tensor, "member expert expert"]:
        """The normalised adjacency of the members' graphs."""
        return self.objective.adjacency

    @cached_property
    def games(self) -> Games:
        """The members' games."""
        games = self.evaluation.games
        return games if len(self.members) == len(games.targets) else games.of(self._rows)  # all members: no copy

    @property
    def targets(self) -> Float[Tensor, "member game dim"]:
        """The targets of the members' games."""
        return self.games.targets

    @property
    def coordinates(self) -> Float[Tensor, "member game target"]:
        """The targets in coordinates in which they have a density."""
        return self._of_members(self.evaluation.coordinates)

    @property
    def conditions(self) -> Float[Tensor, "member game term"]:
        """Functions of the targets to condition on: the basis of `Conditions`."""
        return self._of_members(self.evaluation.conditions.basis)

    @cached_property
    def _trace(self) -> Trace:
        recurrent = "h" in self.games.state
        states = ("h",) if recurrent else ()
        return self.evaluation.engine.rollout(self.objective, self.parameters, self.games, states, steps=(-1,))

    @cached_property
    def error_without_messages(self) -> Float[Tensor, "member dim"]:
        """`error` under message ablation: every expert receives zeros, as in a graph without edges."""
        without_messages = replace(self.objective, adjacency=torch.zeros_like(self.adjacency))
        guesses = self.evaluation.engine.rollout(without_messages, self.parameters, self.games, steps=(-1,)).guesses[-1]
        error: Tensor = self.system.error(guesses, self.targets).mean(dim=1)
        return error

    @property
    def guesses(self) -> Float[Tensor, "member game dim"]:
        """The guesses after the last inner step."""
        return self._trace.guesses[-1]

    @cached_property
    def error(self) -> Float[Tensor, "member dim"]:
        """The normalised error after the last inner step in each dimension, mean over games (chance = 1)."""
        error: Tensor = self.system.error(self.guesses, self.targets).mean(dim=1)
        return error

    @property
    def h(self) -> Float[Tensor, "member game expert hidden"]:
        """The experts' hidden states after the last inner step."""
        return self._trace.states["h"][0]

    @cached_property
    def outputs(self) -> Float[Tensor, "member game expert dim"]:
        """The experts' outputs after the last inner step."""
        return self._outputs_of(self.parameters.flat, self.h)

    def reduced(self, components: int) -> Float[Tensor, "member game expert component"]:
        """`h` projected on the first `components` directions of the frozen basis."""
        return project(self.h, _of_rows(self.evaluation.basis(components), self._rows))

    def read(
        self, states: Float[Tensor, "member game expert component"]
    ) -> Float[Tensor, "member game expert component"]:
        """`states` with the noise floor added."""
        return self._read(states, self._rows)

    @cached_property
    def outputs_read(self) -> Float[Tensor, "member game expert component"]:
        """`outputs` in the basis in which they are compared, with the noise floor added."""
        return self._read(project(self.outputs, _of_rows(self.evaluation.outputs_basis, self._rows)), self._rows)

    def rollouts(self, games: int | None = None, states: tuple[str, ...] = ("h",)) -> Iterator[Trace]:
        """Guesses and states after every inner step, one member at a time, since all would not fit into memory.

        Args:
            games: number of games, from the first; None for all.
            states: names of the states.
        """
        for member in range(len(self.members)):
            yield self._rollout(member, games, states)

    def steps(self, games: int | None = None) -> Iterator[Float[Tensor, "step game *hidden"]]:
        """The hidden states after every inner step, one member at a time."""
        for member in range(len(self.members)):
            yield self._steps(member, games)

    def read_outputs_of_steps(self) -> Iterator[Float[Tensor, "step game expert component"]]:
        """The outputs after every inner step, read as `outputs_read` is, one member at a time."""
        for member in range(len(self.members)):
            yield self._read_outputs_of_steps(member)

    def _rollout(self, member: int, games: int | None, states: tuple[str, ...]) -> Trace:
        played, one = self.games if games is None else self.games.first(games), slice(member, member + 1)
        weights = Weights(self.parameters.flat[one], self.parameters.shapes)
        return self.evaluation.engine.rollout(self.objective.of(one), weights, played.of(one), states)

    def _steps(self, member: int, games: int | None = None) -> Float[Tensor, "step game *hidden"]:
        return self._rollout(member, games, ("h",)).states["h"][:, 0]

    def _read_outputs_of_steps(self, member: int) -> Float[Tensor, "step game expert component"]:
        one, row = slice(member, member + 1), self._rows[member : member + 1]
        basis = _of_rows(self.evaluation.outputs_basis, row)
        outputs = (self._outputs_of(self.parameters.flat[one], h[None]) for h in self._steps(member))
        return torch.cat([self._read(project(each, basis), row) for each in outputs])

    def _outputs_of(
        self, weights: Float[Tensor, "member weight"], h: Float[Tensor, "member game expert hidden"]
    ) -> Float[Tensor, "member game expert dim"]:
        def outputs(flat: Tensor, h: Tensor) -> Tensor:
            return self.system.architecture.outputs(Weights(flat, self.parameters.shapes), {"h": h})

        return one_by_one(outputs, weights, h)

    def in_threads(
        self, measure: Callable[..., dict[str, Tensor]], chunks: Iterable[tuple[Tensor, ...]]
    ) -> dict[str, Tensor]:
        """`measure` applied to each chunk of the members in a thread of its own, with the results concatenated."""
        threads, results = self.evaluation.engine.thread_count, []
        pool, started = _pool(threads), deque[Future[dict[str, Tensor]]]()
        for chunk in chunks:  # no more at once than there are threads, since each chunk may be large
            started.append(pool.submit(measure, *chunk))
            if len(started) == threads:
                results.append(started.popleft().result())
        results += [each.result() for each in started]
        return {name: torch.cat([result[name] for result in results]) for name in results[0]}

    def split_by_thread(self, *tensors: Float[Tensor, "member ..."]) -> Iterator[tuple[Tensor, ...]]:
        """The tensors, split along the members into one chunk for each of the engine's threads."""
        return zip(*(tensor.chunk(self.evaluation.engine.thread_count) for tensor in tensors), strict=True)

    def generator(self) -> torch.Generator:
        """A generator in the same state for all members and iterations: for subsets, permutations, surrogates."""
        return random_stream(0, Purpose.MEASURES)

    def _of_members(self, values: Float[Tensor, "row ..."]) -> Float[Tensor, "member ..."]:
        """The members' values, without a copy if they are all."""
        return values if len(self.members) == len(values) else values[self._rows]

    def _read(
        self, states: Float[Tensor, "row game expert component"], rows: Int[Tensor, " row"]
    ) -> Float[Tensor, "row game expert component"]:
        noise = self.evaluation.noise(states.shape[-1])[rows]
        return with_noise_floor(states, noise, self.evaluation.noise_share)


def _of_rows(basis: Basis, rows: Int[Tensor, " row"]) -> Basis:
    return Basis(basis.mean[rows], basis.directions[rows])


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads for all measurements: the C library keeps memory that threads have freed for each thread that it saw.

    None of them shares its work with others: PyTorch's setting is of one thread, and products are summed in another
    order if they are shared.
    """
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
