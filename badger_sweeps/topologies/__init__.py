"""Topologies: which expert receives messages from which. One file per family; `base.py` defines a topology."""
