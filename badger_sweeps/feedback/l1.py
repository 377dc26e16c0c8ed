"""The learner reads the mean absolute error, whichever loss training minimises."""

from __future__ import annotations

from badger_sweeps.core.settings import settings
from badger_sweeps.feedback.base import Feedback
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.l1 import MeanAbsoluteError


@settings
class AbsoluteErrorFeedback(Feedback):
    """2 * mean_d |g_d - y_d| on the Guessing Game."""

    def loss(self, objective: Loss) -> Loss:
        return MeanAbsoluteError()
