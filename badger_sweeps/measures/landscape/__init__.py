"""What the loss looks like from where training stands: conflicting gradients, saddles, one dimension after another."""
