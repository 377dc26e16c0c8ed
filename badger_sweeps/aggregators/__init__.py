"""How the gradients of the dimensions become one. One file per aggregator; `base.py` says what an aggregator is."""
