"""How weights change in one outer iteration. One file per rule; `base.py` says what a rule is."""
