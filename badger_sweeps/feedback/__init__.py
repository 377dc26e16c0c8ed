"""What a learner is told about its guesses. One file per choice; `base.py` says what a feedback is."""
