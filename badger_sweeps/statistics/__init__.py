"""Statistics of samples of numbers: estimates with intervals, tests, survival curves, multiple testing."""
