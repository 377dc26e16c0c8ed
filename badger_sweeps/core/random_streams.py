"""Random streams: every member of a population owns its randomness, one stream for each purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor


class Purpose(IntEnum):
    """What a stream is drawn for. The numbers are part of what a seed means: never renumber, only append."""

    WEIGHTS = 0
    TOPOLOGY = 1
    TARGETS = 2
    STATES = 3
    EVALUATION_TARGETS = 4
    EVALUATION_STATES = 5
    MEASURES = 6
    RULE = 7
    AGGREGATION = 8


def stream(seed: int, purpose: Purpose, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one member for one purpose.

    `seed` and `purpose` are hashed together (numpy's `SeedSequence`), so that neighbouring seeds are
    independent and that changing how much one purpose draws (a wider network, say) leaves the others as they
    were: two configurations trained on the same seeds see the same targets and can be compared in pairs.
    """
    state = np.random.SeedSequence(entropy=seed, spawn_key=(int(purpose),)).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device=device)
    generator.manual_seed(int(state))
    return generator


class Streams(Sequence[torch.Generator]):
    """The streams of all members for one purpose, in the population's order; saved and restored together.

    Args:
        seeds: of the members.
        purpose: what is drawn from them.
        device: where the numbers are to be.
    """

    def __init__(self, seeds: Sequence[int], purpose: Purpose, device: torch.device | str = "cpu") -> None:
        self._own = [stream(seed, purpose, device) for seed in seeds]

    def __len__(self) -> int:
        return len(self._own)

    def __getitem__(self, member: int) -> torch.Generator:  # type: ignore[override]
        return self._own[member]

    def draw(self, one: Callable[[torch.Generator], Tensor]) -> Tensor:
        """What `one` draws for each member, stacked: the population axis comes first."""
        return torch.stack([one(generator) for generator in self._own])

    def state_dict(self) -> dict[str, list[Tensor]]:
        """How far each stream has been drawn from."""
        return {"generators": [generator.get_state() for generator in self._own]}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Go on from a `state_dict`."""
        for generator, saved in zip(self._own, state["generators"], strict=True):
            generator.set_state(saved)
