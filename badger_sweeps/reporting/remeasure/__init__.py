"""Measuring runs again from their snapshots."""
