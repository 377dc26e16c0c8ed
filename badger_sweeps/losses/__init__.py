"""How a guess is scored. One file per loss; `base.py` says what a loss is and why chance is exactly 1."""
