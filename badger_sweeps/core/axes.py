"""The axes of every tensor, named once, always in this order.

``population`` (members: independent replicates trained side by side), ``game`` (the batch), ``expert``, then
features: ``hidden``, ``message``, ``dim`` (the numbers to guess). Inner steps lead where a whole rollout is
held. Everything is float32.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

Parameters = Mapping[str, Tensor]
"""Weights by name; the population axis comes first, except while one member's weights are drawn."""
State = dict[str, Tensor]
"""A learner's state between two inner steps, by name."""
