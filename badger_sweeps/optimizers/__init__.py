"""How a gradient becomes a step. One file per optimiser; `base.py` says what one is."""
