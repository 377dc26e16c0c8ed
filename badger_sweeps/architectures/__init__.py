"""The learners. One file per architecture; `base.py` is the narrow interface they share."""
