"""Feedback: the error that a learner reads. One file per choice; `base.py` defines a feedback."""
