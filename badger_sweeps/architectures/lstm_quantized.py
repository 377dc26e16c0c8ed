"""The LSTM meta-learner that is told its error in a few coarse grades."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.core.settings import Positive, Size, settings


@settings
class LSTMQuantized(LSTM):
    """`LSTM` whose error input is replaced by the midpoint of the bin it falls into.

    The bins are uniform on [0, range]; larger errors fall into the last one. No gradient passes through a bin: the
    network learns from its guesses and its state alone what an error means. With the defaults the chance error, 1, is
    an edge between two bins: on the frequency task, whose squared error is exactly 1 in every game at the guess zero,
    rounding decides which of the two is told first. ``range=1.25`` puts chance within a bin.

    Args:
        bins: how many (study: 12).
        range: their upper end, in units of the chance error (reconstructed: 1.2).
    """

    bins: Size = 12
    range: Positive = 1.2

    def perceived(self, error: Float[Tensor, "population game"]) -> Float[Tensor, "population game"]:
        width = self.range / self.bins
        return ((error.detach() / width).floor().clamp(0, self.bins - 1) + 0.5) * width
