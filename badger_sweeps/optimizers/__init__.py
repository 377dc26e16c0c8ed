"""Optimisers: the step for a gradient. One file per optimiser; `base.py` defines an optimiser."""
