"""The largest Lyapunov exponent of the inner loop."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.axes import State
from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, Size, settings
from badger_sweeps.evaluation.base import Measure, has_states
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.dynamics.lyapunov import tangent_exponents
from badger_sweeps.training.experiment import Experiment


@settings
class InnerChaos(Measure):
    """``lyapunov/inner``: the largest exponent of the inner loop, by tangent vectors, in nats per inner step.

    The map takes all experts' states and the guess from one inner step to the next, including the error that the guess
    causes. The rollout is continued to twice its length: in the first half the tangent vectors turn into the direction
    of fastest growth, the second half is measured. ``lyapunov/inner`` is the mean over games, ``lyapunov/inner_sd``
    their standard deviation.

    Args:
        every: iterations between measurements; null never measures.
        games: number of evaluation games, counted from the first.
    """

    every: Count | None = None
    games: Size = 16

    def columns(self, experiment: Experiment) -> Columns:
        title, unit = "Largest Lyapunov exponent of the inner loop", "nats per inner step"
        return (
            columns(
                Column("lyapunov/inner", f"{title}, mean of games", unit, reference=0.0),
                Column("lyapunov/inner_sd", f"{title}, standard deviation over games", unit),
            )
            if has_states(experiment)
            else {}
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        played = context.games.first(self.games)
        members, games, dims = played.targets.shape
        shapes = {name: tensor.shape[2:] for name, tensor in played.state.items()}
        sizes = [shape.numel() for shape in shapes.values()]

        def joined(state: State, guess: Float[Tensor, "member game dim"]) -> Float[Tensor, "row variable"]:
            return torch.cat([*(state[name].flatten(2) for name in shapes), guess], dim=2).flatten(0, 1)

        def step(_: int, rows: Float[Tensor, "row variable"]) -> Float[Tensor, "row variable"]:
            *parts, guess = rows.view(members, games, -1).split_with_sizes([*sizes, dims], dim=2)
            state = {
                name: part.reshape(members, games, *shapes[name]) for name, part in zip(shapes, parts, strict=True)
            }
            return joined(*context.system.step(context.parameters, context.adjacency, played, state, guess))

        start = joined(dict(played.state), torch.zeros_like(played.targets))
        steps = context.experiment.training.inner_steps
        largest = tangent_exponents(step, start, steps, context.generator(), discard=steps)[:, 0]
        exponents = largest.view(members, games)
        return {"lyapunov/inner": exponents.mean(dim=1), "lyapunov/inner_sd": exponents.std(dim=1)}
