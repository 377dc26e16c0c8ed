"""Reading runs and searches from their folders: histories, measures, summaries, trials."""
