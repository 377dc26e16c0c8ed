"""Training: an experiment's settings, a population's state, and the loop that yields records."""
