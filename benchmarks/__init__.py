"""`make bench`: how fast we are, beside what else could be used, in one run on one machine."""
