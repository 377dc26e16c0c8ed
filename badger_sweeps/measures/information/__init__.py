"""How much experts tell about each other and about the targets: mutual and binding information."""
