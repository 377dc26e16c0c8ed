"""The generators that other tests rely on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.measures.dynamics.noises import autocovariance, fractional_gaussian


@pytest.mark.parametrize("exponent", [0.3, 0.5, 0.8])
def test_fractional_noise_has_the_autocovariance_of_its_definition(exponent: float) -> None:
    noise = fractional_gaussian(exponent, members=2000, time=256, seed=0).numpy()
    for lag in (0, 1, 2, 5, 20, 100):
        # The mean is zero and known, so products need no correction; members are independent.
        estimates = (noise[:, lag:] * noise[:, : 256 - lag]).mean(axis=1)
        standard_error = estimates.std() / np.sqrt(len(estimates))
        # 18 comparisons; 4.5 standard errors come up once in 8000 runs of them.
        assert abs(estimates.mean() - autocovariance(exponent, np.array(lag))) < 4.5 * standard_error


def test_white_noise_is_fractional_noise_without_memory() -> None:
    assert np.allclose(autocovariance(0.5, np.arange(5)), [1, 0, 0, 0, 0])
