"""Trackers: where the records of a running run are logged (W&B, the terminal)."""
