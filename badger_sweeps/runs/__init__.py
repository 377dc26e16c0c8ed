"""One run and the folder it leaves behind: history, summary, provenance, checkpoint."""
