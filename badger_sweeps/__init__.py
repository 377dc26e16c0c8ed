"""badger_sweeps: find out why multi-agent meta-learners are hard to train.

Importing the package is cheap on purpose: the command line answers before PyTorch is loaded. Library users
import what they need, e.g. ``from badger_sweeps.training.loop import train``.
"""

__version__ = "0.1.0"
