"""Searches whose trials were all trained to the end, and what each seed's loss was on the way."""
