"""Most tests here are about the native engine; without a compiler there is nothing to test."""

from __future__ import annotations

import pytest
import torch

from badger_sweeps.engines.native.engine import Native
from badger_sweeps.training.experiment import Experiment


@pytest.fixture(autouse=True)
def needs_native(request: pytest.FixtureRequest) -> None:
    found = Native().resolve(Experiment(device="cpu").system, torch.device("cpu")).description
    if "native" not in found.split()[0]:
        pytest.skip(found)
