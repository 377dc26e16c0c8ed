"""``hydra/sweeper=badger``: searches that many processes share, on Optuna."""
