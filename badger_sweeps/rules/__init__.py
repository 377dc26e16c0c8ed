"""Update rules: how weights change in one outer iteration. One file per rule; `base.py` defines a rule."""
