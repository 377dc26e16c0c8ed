"""What is measured: pure functions of numbers and tensors. Nothing here knows how a run was made."""
