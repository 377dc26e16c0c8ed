"""The command line: Hydra comes in here and goes no further."""
