"""Random streams: every member of a population owns its randomness, one stream for each purpose."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What a stream is drawn for. The numbers are part of what a seed means: never renumber, only append."""

    WEIGHTS = 0
    TOPOLOGY = 1
    TARGETS = 2
    STATES = 3
    EVALUATION_TARGETS = 4
    EVALUATION_STATES = 5
    MEASURES = 6


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
