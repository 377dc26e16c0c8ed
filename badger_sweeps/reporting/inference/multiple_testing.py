"""Significance and multiple testing."""

SIGNIFICANCE = 0.05
"""The p-value below which a difference is called established."""
