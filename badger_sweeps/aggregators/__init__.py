"""Aggregators: one gradient from those of the dimensions. One file per aggregator; `base.py` defines an aggregator."""
