"""A population in training: P members' weights, graphs, random streams and optimiser state."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_sweeps.engines.base import Gradients
from badger_sweeps.foundations.streams import Purpose, stream
from badger_sweeps.rollout import Games
from badger_sweeps.topologies.base import mixing
from badger_sweeps.training.draws import draw_games, initial_weights
from badger_sweeps.training.experiment import Experiment


class Population:
    """All members of an experiment, as tensors with a leading population axis.

    A member is the same run whatever population it trains in: everything it draws comes from streams of its
    own seed, and nothing that happens to another member reaches it (up to float rounding, since matrix products
    over more members may be summed in another order).

    Attributes:
        iteration: outer iterations done.
        engine: the one that serves the experiment.
        engine_words: which it is and why, for the user.
        active: the members still training; one whose loss or gradient is not finite is frozen as it was.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.device = device = experiment.torch_device
        self.iteration = 0
        self.active: Bool[Tensor, " population"] = torch.ones(len(experiment.seeds), dtype=torch.bool, device=device)
        self.parameters = initial_weights(experiment)
        self.mixing: Float[Tensor, "population expert expert"] = mixing(experiment.graphs).to(device)
        self.engine, self.engine_words = experiment.engine.serving(experiment.system, device)
        self.optimizer = experiment.optimizer.build([self.parameters.flat])
        self._streams = {
            purpose: [stream(seed, purpose, device) for seed in experiment.seeds]
            for purpose in (Purpose.TARGETS, Purpose.STATES)
        }

    @property
    def finished(self) -> bool:
        """Whether all iterations are done, or no member is left to train."""
        return self.iteration >= self.experiment.training.iterations or not bool(self.active.any())

    @property
    def learning_rate(self) -> float:
        """The optimiser's at this iteration."""
        return self.experiment.optimizer.lr * self.experiment.schedule.factor(self.iteration)

    def draw_games(self) -> Games:
        """The next batch of every member."""
        streams = self._streams
        games = self.experiment.training.batch_size
        return draw_games(self.experiment, games, streams[Purpose.TARGETS], streams[Purpose.STATES])

    def update(self, step: Gradients) -> Float[Tensor, " population"]:
        """Apply one optimiser step to every active member; gives the gradients' norms before clipping.

        A member whose loss or gradient is not finite is frozen with the weights that produced it.
        """
        weights, gradient = self.parameters.flat, step.gradients.flat
        norms = gradient.square().sum(dim=1).sqrt()
        self.active = self.active & step.loss.isfinite() & norms.isfinite()
        frozen = ~self.active
        keep = weights[frozen]
        # Zero, not NaN, for frozen members: a NaN would stay in the optimiser's moments for ever.
        weights.grad = (gradient * self._clip_scale(norms)[:, None]).masked_fill_(frozen[:, None], 0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        weights[frozen] = keep  # momentum moves weights even where the gradient is zero
        self.iteration += 1
        return norms

    def _clip_scale(self, norms: Float[Tensor, " population"]) -> Float[Tensor, " population"]:
        longest = self.experiment.training.clip_norm
        if longest is None:
            return torch.ones_like(norms)
        return (longest / (norms + 1e-6)).clamp(max=1)  # the rule of torch.nn.utils.clip_grad_norm_

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here."""
        return {
            "iteration": self.iteration,
            "active": self.active,
            "parameters": dict(self.parameters),
            "optimizer": self.optimizer.state_dict(),
            "streams": {
                purpose.name: [generator.get_state() for generator in generators]
                for purpose, generators in self._streams.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict` of a population of the same experiment."""
        self.iteration = state["iteration"]
        self.active = state["active"].to(self.device)
        for name, parameter in self.parameters.items():
            parameter.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        for purpose, generators in self._streams.items():
            for generator, saved in zip(generators, state["streams"][purpose.name], strict=True):
                generator.set_state(saved)
