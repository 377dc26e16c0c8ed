"""From folders to runs: histories, measures, summaries and searches as they were recorded."""
