"""One thread a worker, no W&B account, and shapes checked everywhere (see addopts in pyproject.toml)."""

from __future__ import annotations

import gc
import os

import pytest
import scipy.linalg  # noqa: F401  # loads SciPy's own BLAS
import torch
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

pytest_plugins = ("tests.browser", "tests.shared")

torch.set_num_threads(1)
threadpool_limits(1, user_api="blas")  # its threads wait busily, and were seen to take 20 times as long on busy cores
# Times say nothing on a machine that is shared.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def pytest_collection_finish() -> None:
    """Leave the modules' objects out of all collections of garbage, which take a tenth of the tests' time otherwise."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_wandb_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_SILENT", "true")
