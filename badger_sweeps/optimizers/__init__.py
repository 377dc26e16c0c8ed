"""How weights are updated. One file per optimiser; `base.py` says what may be one."""
