"""Foundations: settings that check themselves, random streams, weights, errors, safe files."""
