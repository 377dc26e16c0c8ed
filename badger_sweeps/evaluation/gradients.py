"""Whether the dimensions' gradients pull against each other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.evaluation.base import Measure, Shapes
from badger_sweeps.evaluation.moment import Moment
from badger_sweeps.foundations.settings import Count, Size, settings
from badger_sweeps.foundations.weights import Weights
from badger_sweeps.measures.landscape.conflict import conflict
from badger_sweeps.rollout import rollout
from badger_sweeps.training.experiment import Experiment

NAMES = ("cosine_mean", "cosine_min", "conflicting", "norm_ratio", "cancellation")


@settings
class GradientConflict(Measure):
    """``gradient/*``: the gradients of the outer loss of each dimension against each other.

    ``conflicting`` is the share of pairs of dimensions with a negative cosine, ``norm_ratio`` the smallest norm over
    the largest, ``cancellation`` the norm of the mean gradient over the mean of the norms (1: all pull the same way).

    Args:
        every: iterations between measurements; null never measures.
        games: of the evaluation set, the first so many.
    """

    every: Count | None = None
    games: Size = 256

    def columns(self, experiment: Experiment) -> Shapes:
        return dict.fromkeys((f"gradient/{name}" for name in NAMES), ()) if experiment.task.dims > 1 else {}

    def measure(self, moment: Moment) -> dict[str, Tensor]:
        found = conflict(_by_dim(moment, self.games))
        dims = moment.experiment.task.dims
        cosines = found.cosines[:, *torch.triu_indices(dims, dims, offset=1)]
        values = (
            *(cosines.mean(dim=1), cosines.amin(dim=1)),
            *(found.conflicting, found.norm_ratio, found.cancellation),
        )
        return {f"gradient/{name}": value for name, value in zip(NAMES, values, strict=True)}


def _by_dim(moment: Moment, games: int) -> Float[Tensor, "member dim weight"]:
    """Every dimension's gradient of its part of the outer loss; one forward pass, a backward pass for each."""
    training, system, played = moment.experiment.training, moment.system, moment.first_games(games)
    leaf = Weights(moment.parameters.flat.detach().requires_grad_(), moment.parameters.shapes)
    guesses = rollout(system, leaf, moment.mixing, played, training.inner_steps)
    errors = system.loss.error(guesses[-training.loss_steps :], played.targets, system.task).mean(dim=(0, 2))
    gradients = [torch.autograd.grad(error, leaf.flat, retain_graph=True)[0] for error in errors.sum(dim=0)]
    return torch.stack(gradients, dim=1)
