"""Readouts: the guess as a function of the experts' outputs. One file per readout; `base.py` defines a readout."""
