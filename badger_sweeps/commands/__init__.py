"""The command line: the Hydra application and the commands of `badger-sweeps`."""
