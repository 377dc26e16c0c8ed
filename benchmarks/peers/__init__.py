"""The same loss, gradients and training by other means.

Modules of gradients have `prepare(workload)`, which gives a function to call; modules of whole trainings have
`compete(case, turns)` (`benchmarks.contestants`).
"""
