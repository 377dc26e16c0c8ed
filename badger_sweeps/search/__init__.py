"""Searches for settings that shorten plateaus: studies of trials that many processes share and none can lose."""
