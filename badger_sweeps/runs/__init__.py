"""One run and its folder: history, summary, provenance, checkpoint."""
