"""Measures taken while a population trains, or afterwards from its snapshots: on a fixed set of games."""
