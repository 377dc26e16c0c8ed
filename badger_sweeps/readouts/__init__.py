"""How the experts' outputs become one guess. One file per readout; `base.py` says what a readout is."""
