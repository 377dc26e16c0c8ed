"""One file per figure: first what is shown is computed, then it is drawn."""
