"""Who listens to whom. One file per family of graphs; `base.py` says what a topology is."""
