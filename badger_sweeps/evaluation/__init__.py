"""Measures of a population in training, or of its snapshots, on a fixed set of games."""
