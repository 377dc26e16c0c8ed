"""What a run is called, from the choices and overrides that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

LONGEST = 100
NOT_ABOUT_RESULTS = ("study", "tracking", "device", "engine", "objective", "training.checkpoint_every")
"""Keys that leave what is computed as it is."""


def run_folder(choices: Mapping[str, str], overrides: Sequence[str]) -> str:
    """The folder of a run within a multirun's: ``gru,optimizer.lr=0.01,seeds=8``."""
    return _name(choices, overrides, NOT_ABOUT_RESULTS).replace("/", "_")


def run_name(choices: Mapping[str, str], overrides: Sequence[str]) -> str:
    """The configuration's name, which runs that differ only in their seeds share."""
    return _name(choices, overrides, (*NOT_ABOUT_RESULTS, "seeds"))


def _name(choices: Mapping[str, str], overrides: Sequence[str], left_out: Collection[str]) -> str:
    parts = [choices["architecture"]]
    for override in sorted(overrides):
        key, _, value = override.lstrip("+~").partition("=")
        if key == "architecture" or any(key == out or key.startswith(f"{out}.") for out in left_out):
            continue
        parts.append(value if key in choices else f"{key}={value}")
    name = ",".join(parts)
    if len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
