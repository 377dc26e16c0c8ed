"""What computes gradients. `base.py` says what an engine is; `reference.py` is plain PyTorch."""
