"""How a series or a trajectory moves: memory, chaos, oscillation."""
