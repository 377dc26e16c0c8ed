"""What is measured on runs: pure functions of recorded numbers. Nothing here knows how a run was made."""
