"""Results as text: cells of tables and sentences, the same on the terminal and on the page."""
