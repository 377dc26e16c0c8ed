"""Dynamics of a series or a trajectory: memory, chaos, oscillation."""
