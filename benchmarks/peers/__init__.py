"""The same loss and gradients by other means. Each module has `prepare(workload)`, which gives a function to call."""
