"""Measures: pure functions of numbers and tensors, which know neither runs nor files."""
