"""Losses, gradients and rollouts of an objective. `base.py` defines an engine; `reference.py` is plain PyTorch."""
