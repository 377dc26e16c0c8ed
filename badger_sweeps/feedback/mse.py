"""The learner reads the mean squared error, whichever loss training minimises."""

from __future__ import annotations

from badger_sweeps.core.settings import settings
from badger_sweeps.feedback.base import Feedback
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.mse import MeanSquaredError


@settings
class SquaredErrorFeedback(Feedback):
    """3 * mean_d (g_d - y_d)^2 on the Guessing Game."""

    def loss(self, objective: Loss) -> Loss:
        return MeanSquaredError()
