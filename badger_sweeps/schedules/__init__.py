"""How the learning rate changes over a run. One file per schedule; `base.py` says what a schedule is."""
