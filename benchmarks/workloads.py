"""What is raced: loss and gradients of a population, at four sizes."""

from __future__ import annotations

from dataclasses import dataclass

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.core.weights import Weights
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.topologies.single import Single
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.population import Population


@dataclass(frozen=True)
class Size:
    """One shape of the inner loop. Without messages it is one LSTM, otherwise experts in the two-gate form."""

    games: int
    experts: int
    hidden: int
    message: int
    steps: int
    dims: int = 4
    links: int = 4

    @property
    def gates(self) -> int:
        """Pre-activations of a unit."""
        return 2 if self.message else 4

    @property
    def flops(self) -> int:
        """Useful operations of one member: 3 times those of the forward pass's products (adjacency counted dense)."""
        rows, heard = self.games * self.experts, self.message or self.dims
        cell = (heard + 1 + self.hidden) * self.gates * self.hidden
        head = self.hidden * (self.message + self.dims)
        return 3 * 2 * self.steps * rows * (cell + head + self.experts * self.message)


SIZES = {
    "base": Size(games=100, experts=16, hidden=32, message=8, steps=20),
    "small": Size(games=32, experts=8, hidden=16, message=4, steps=10),
    "large": Size(games=100, experts=14, hidden=64, message=16, steps=40),
    "lstm": Size(games=100, experts=1, hidden=64, message=0, steps=40, dims=41, links=0),
}


def experiment(size: Size, members: int, iterations: int = 1, **changes: object) -> Experiment:
    """A population of this size on the CPU, unless `changes` to the experiment say otherwise."""
    meta = GRU(hidden=size.hidden, message=size.message, reset_gate=False) if size.message else LSTM(hidden=size.hidden)
    topology = RandomLinks(experts=size.experts, links=size.links) if size.links else Single()
    training = Training(iterations=iterations, batch_size=size.games, inner_steps=size.steps)
    task = GuessingGame(dims=size.dims)
    settings = {"architecture": meta, "topology": topology, "task": task, "training": training, "device": "cpu"}
    return Experiment(**{**settings, "seeds": tuple(range(members)), **changes})


@dataclass(frozen=True)
class Workload:
    """One batch of games for a population whose weights are its first."""

    size: Size
    population: Population
    games: Games

    @classmethod
    def of(cls, size: Size, members: int) -> Workload:
        """Drawn as training draws them."""
        population = Population(experiment(size, members))
        return cls(size, population, population.draw_games())

    @property
    def given(self) -> tuple[OuterObjective, Weights, Games]:
        """What engines are given."""
        return self.population.objective, self.population.parameters, self.games
