"""The loss landscape at the current weights: conflicting gradients, saddles, sequential learning."""
