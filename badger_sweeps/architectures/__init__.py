"""Architectures of learners. One file per architecture; `base.py` defines an architecture."""
