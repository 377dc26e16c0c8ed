"""One file for each panel of the page: compute what it shows, then draw it."""
