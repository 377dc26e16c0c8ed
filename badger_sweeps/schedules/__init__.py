"""How the learning rate changes over a run. One file per schedule; `base.py` defines a schedule."""
