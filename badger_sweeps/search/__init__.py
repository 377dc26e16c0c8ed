"""Searches: many processes share the trials of one search for a better configuration, and lose none of them.

A trial's way from the command to its outcome, file by file:

1. The sweeper (`hydra_plugins/badger_sweeper/`) parses the search space (`space`), opens the storage (`storage`), and
   creates the search (`search`) or checks that it is the same one as before (`definition`).
2. A worker claims a trial (`search`): a waiting one or a new one (`starting`), under a lease of its own (`leases`).
3. The trial gets its parameters (`point_sampler`), from one of Optuna's samplers (`sampling`), which sees pruned trials
   with the scores of `scores`.
4. The worker trains the trial (`trial`, `trial_training`) and sends heartbeats; a pruning rule (`pruning`) or a race
   over seeds (`racing`) may end it early.
5. The trial is filled with what came of it (`trial_training`); the sweeper's worker makes the outcome of that
   (`hydra_plugins/badger_sweeper/_worker.py`, `trial_outcome`) and stores it (`search`), or re-queues the trial if a
   signal came (`requeueing`).
6. The controller polls the state of the search (`polling`, `state`), which goes to the terminal (`table`), to the
   tracker (`logger`) and to the result file (`results`); `confirmation` says what runs once more on fresh seeds.
"""
