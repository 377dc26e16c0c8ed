"""Information that experts share with each other and with the targets: mutual and binding information."""
