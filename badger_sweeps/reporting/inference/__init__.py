"""Statistics over seeds: paired comparisons, tests, multiple testing, evidence for and against a claim."""
