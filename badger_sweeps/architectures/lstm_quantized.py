"""The LSTM meta-learner that reads a quantised error."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.core.settings import Positive, Size, settings


@settings
class LSTMQuantized(LSTM):
    """`LSTM` that reads, instead of the error, the midpoint of the bin that contains it.

    The bins are uniform on [0, range]; the last one contains all larger errors. No gradient flows through the
    quantisation, only through guesses and states. With the defaults the chance error, 1, is an edge between two bins:
    on the frequency task, whose squared error is exactly 1 in every game at the guess zero, rounding decides which of
    the two the network reads first. With ``range=1.25`` chance lies inside of a bin.

    Args:
        bins: number of bins (document: 12).
        range: upper end of the last bin, in units of the chance error (reconstructed: 1.2).
    """

    bins: Size = 12
    range: Positive = 1.2

    def perceived(self, error: Float[Tensor, "population game"]) -> Float[Tensor, "population game"]:
        width = self.range / self.bins
        return ((error.detach() / width).floor().clamp(0, self.bins - 1) + 0.5) * width
