"""Random streams: one for each member of a population and each purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor


class Purpose(IntEnum):
    """What a random stream is used for. The numbers decide what a seed draws: never renumber them, only append."""

    WEIGHTS = 0
    TOPOLOGY = 1
    TARGETS = 2
    STATES = 3
    EVALUATION_TARGETS = 4
    EVALUATION_STATES = 5
    MEASURES = 6
    RULE = 7
    AGGREGATION = 8


def random_stream(seed: int, purpose: Purpose, device: torch.device | str = "cpu") -> torch.Generator:
    """The random stream of the member with this seed, for one purpose.

    `seed` and `purpose` are hashed together (numpy's `SeedSequence`). Streams of neighbouring seeds are therefore
    independent, and the numbers of one purpose do not depend on how many another draws (a wider network draws more):
    two configurations trained with the same seeds get the same targets, and can be compared in pairs.
    """
    state = np.random.SeedSequence(entropy=seed, spawn_key=(int(purpose),)).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device=device)
    generator.manual_seed(int(state))
    return generator


class RandomStreams(Sequence[torch.Generator]):
    """The random streams of all members for one purpose, in the population's order; saved and restored together.

    Args:
        seeds: one for each member.
        purpose: what the streams are used for.
        device: where the numbers are drawn.
    """

    def __init__(self, seeds: Sequence[int], purpose: Purpose, device: torch.device | str = "cpu") -> None:
        self._generators = [random_stream(seed, purpose, device) for seed in seeds]

    def __len__(self) -> int:
        return len(self._generators)

    def __getitem__(self, member: int) -> torch.Generator:  # type: ignore[override]
        return self._generators[member]

    def draw(self, sample: Callable[[torch.Generator], Tensor]) -> Tensor:
        """The tensors that `sample` draws from each member's stream, stacked along the population axis."""
        return torch.stack([sample(generator) for generator in self._generators])

    def state_dict(self) -> dict[str, list[Tensor]]:
        """The state of each generator."""
        return {"generators": [generator.get_state() for generator in self._generators]}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Continue from a `state_dict`."""
        for generator, saved in zip(self._generators, state["generators"], strict=True):
            generator.set_state(saved)
