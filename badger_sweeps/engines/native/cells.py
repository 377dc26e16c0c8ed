"""Each architecture as the kernel needs it: its pointwise cell, what its gates read, and the offsets of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from badger_sweeps.architectures.base import Architecture
from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.lstm_quantized import LSTMQuantized
from badger_sweeps.architectures.micro_badger import MicroBadger
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.engines.native.job import Layout

Reads = Literal["x", "h", "xh"]
"""What a gate sums over: what the expert receives and the error (x), its previous activity (h), or both."""


@dataclass(frozen=True)
class Cell:
    """A recurrent cell, described to the kernel, without the constants, which annealing changes.

    Attributes:
        struct: its pointwise part in ``kernel/cells.h``.
        gates: what each gate reads, in the struct's order. Rows of `weight_ih` belong to the gates that read x, rows of
            `weight_hh` to those that read h, both in this order.
        hidden: size of the hidden state.
        message: size of the messages; 0 for a single-agent architecture, which reads its latest guess instead.
        states: pairs of the names of the architecture's states and of the kernel's arrays that hold them: ``h`` is what
            matrix products read, ``c`` what they do not, ``m`` the messages.
        bins: number of bins that quantise the error before the cell reads it; 0 for none.
        bin_width: the width of a bin, in units of the chance error.
    """

    struct: str
    gates: tuple[Reads, ...]
    hidden: int
    message: int
    states: tuple[tuple[str, str], ...]
    bins: int = 0
    bin_width: float = 1.0


def cell_of(architecture: Architecture) -> Cell | None:
    """The cell of an architecture, or None where the kernel has none.

    Types are compared exactly: a subclass may have another `step`, of which the kernel would know nothing.
    """
    kind = type(architecture)
    if isinstance(architecture, GRU) and kind in (GRU, Exponential):
        return Cell(
            struct="ResetGate" if architecture.reset_gate else "TwoGates",
            gates=("xh", "xh", "x", "h") if architecture.reset_gate else ("xh", "xh"),
            hidden=architecture.hidden,
            message=architecture.message,
            states=(("h", "h"), ("m", "m")),
        )
    if isinstance(architecture, TCNN) and kind is TCNN:
        return Cell(
            struct="Chaotic",
            gates=("xh",),
            hidden=architecture.hidden,
            message=architecture.message,
            states=(("h", "c"), ("m", "m")),
        )
    if isinstance(architecture, LSTM) and kind in (LSTM, LSTMQuantized):
        bins, reach = (architecture.bins, architecture.range) if isinstance(architecture, LSTMQuantized) else (0, 0.0)
        return Cell(
            struct="LongShortTerm",
            gates=("xh", "xh", "xh", "xh"),
            hidden=architecture.hidden,
            message=0,
            states=(("h", "h"), ("c", "c")),
            bins=bins,
            bin_width=reach / bins if bins else 1.0,
        )
    return None


def constants_of(architecture: Architecture) -> tuple[float, ...]:
    """The constants of the architecture's struct, as they are now."""
    if isinstance(architecture, Exponential):
        return (architecture.a, architecture.b)
    if isinstance(architecture, GRU):
        return (0.0, 1.0)
    return (architecture.k, architecture.z, architecture.i0) if isinstance(architecture, TCNN) else ()


def initial_noise(architecture: Architecture) -> float | None:
    """The standard deviation of the normal numbers (draw 0) that the state named first in `Cell.states` starts from.

    All other states start at 0, and this one, too, where it is 0. None if the architecture has no cell, and may have
    another `initial_state`.
    """
    if cell_of(architecture) is None:
        return None
    return architecture.initial_noise if isinstance(architecture, MicroBadger) else 0.0


@lru_cache(maxsize=64)
def weight_offsets(
    gates: tuple[Reads, ...],
    hidden: int,
    message: int,
    dims: int,
    experts: int,
    names: tuple[str, ...],
    layout: Layout,
) -> Int[Tensor, " weight"]:
    """The offset of each of a member's weights (the parameters `names`, one after another) in the kernel's layout."""
    unit, dim = torch.arange(hidden), torch.arange(dims)
    columns = torch.arange(layout.gates).view(len(gates), -1)[:, :hidden]  # gate, unit
    of_x = torch.cat([columns[gate] for gate, reads in enumerate(gates) if "x" in reads])
    of_h = torch.cat([columns[gate] for gate, reads in enumerate(gates) if "h" in reads])
    received = layout.hidden + torch.arange(message or dims)
    from_received = layout.weight + received * layout.gate_row + of_x[:, None]
    messages = layout.message_weight + unit * layout.message + torch.arange(message)[:, None]
    guesses = layout.guess_weight + unit * layout.dims + dim[:, None]
    tables = {
        "weight_ih": torch.cat([from_received, layout.error + of_x[:, None]], dim=1),
        "weight_hh": layout.weight + unit * layout.gate_row + of_h[:, None],
        "bias_ih": layout.bias + of_x,
        "bias_hh": layout.bias + of_h,
        "bias": layout.bias + of_x,
        "weight_out": torch.cat([messages, guesses]),
        "bias_out": torch.cat([layout.message_bias + torch.arange(message), layout.guess_bias + dim]),
        "readout_weight": layout.readout + torch.arange(experts),
    }
    return torch.cat([tables[name].flatten() for name in names]).int()
