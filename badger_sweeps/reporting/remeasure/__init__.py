"""Taking measures from the snapshots of runs."""
