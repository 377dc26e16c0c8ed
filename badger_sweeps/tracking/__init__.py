"""Who is told about a run while it goes on: W&B, the terminal."""
