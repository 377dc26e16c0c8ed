"""What the seeds of several runs say: paired comparisons of configurations, evidence for and against a claim."""
