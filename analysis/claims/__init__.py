"""The document's claims, a module for each: the claim, the required measures, the findings and the figure."""

BY_IMPORTANCE = (
    "guessing_game", "exponential_update", "weighted_readout", "mutual_information", "binding_outer", "binding_inner",
    "hurst", "l1_loss", "frequency_supervised", "frequency_lstm", "frequency_quantized", "frequency_badger",
    "communication", "adding_experts", "topology", "ray_interference", "conflicting_gradients", "saddles", "lyapunov",
    "transient_chaos", "dmd", "shorten_plateaus",
)  # fmt: skip
"""The studies of the document's claims, ordered by the importance of the claim in the document."""
