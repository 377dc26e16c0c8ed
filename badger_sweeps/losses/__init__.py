"""Losses: the error of a guess. One file per loss; `base.py` defines a loss and its normalisation (chance = 1)."""
