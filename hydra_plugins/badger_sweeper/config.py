"""The settings of ``hydra/sweeper=badger``, its samplers and pruners, and of ``hydra/sweeper=arms``.

Hydra imports this file at every start: it must stay light.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore

from badger_sweeps.core.keys import indifferent

SWEEPER: dict[str, Any] = {
    "defaults": [{"sampler": "tpe"}, {"pruner": "bound"}],
    "_target_": "hydra_plugins.badger_sweeper.sweeper.BadgerSweeper",
    "_recursive_": False,
    # The search
    "params": None,  # parameter: choice(...), range(...), interval(...), tag(log, ...), or a fixed value
    "when": None,  # parameter: OTHER=VALUE,... under which alone it is searched
    "search_space": None,  # the same as params, as Optuna's distributions: {type: float, low: 0, high: 1}
    "custom_search_space": None,  # dotted name of a function (config, trial) that suggests further parameters
    "direction": "minimize",  # or maximize, or a list for several objectives
    "constraints": None,  # quantity: its maximum, such as diverged: 0.25
    "warm_start": None,  # points to try first; the configuration gives the parameters that a point leaves out
    "n_trials": 20,  # the total, over all starts and all processes
    # Its storage
    "study_name": None,  # null: the name of hydra.sweep.dir
    "storage": None,  # path of a journal file, sqlite:///PATH, postgresql://USER@HOST/DATABASE; null: study.journal
    # Its workers
    "n_jobs": 2,  # workers that the launcher starts; the launcher basic always has one
    "max_retries": 3,  # how often a trial is started again after its process died
    "heartbeat": 10.0,  # seconds between two heartbeats
    "patience": 120.0,  # seconds without a heartbeat after which a process on another machine counts as dead
    "max_failure_rate": 1.0,  # share of failed trials above which no new trial is started
    "force": False,  # continue although the search was begun with another space, objective, seeds or budget
    "may_differ": list(indifferent("search")),  # keys that do not decide a result: processes may disagree in them
    # badger_sweeps only
    "racing": {  # start trials on `start` seeds, add seeds while they may be the best; null: all seeds at once
        "start": None,  # at this confidence no trial can be ended on fewer than 6
        "confidence": 0.95,  # at most (1 - confidence)/2 = 2.5 % of trials as good as the best are ended
    },
    "confirm": None,  # overrides such as [seeds=[8,9,10]], with which the first and the best configuration run again
    "tracking": "${oc.select:tracking,null}",  # the tracker that the search is logged to
}

ARMS: dict[str, Any] = {
    "_target_": "hydra_plugins.badger_sweeper.arms.ArmsSweeper",
    "arms": {},  # name of an arm: its overrides, as {key: value}; those of the command line follow
    "max_batch_size": None,  # as of Hydra's basic sweeper
    "params": None,
}

_TPE = {"n_startup_trials": 10, "n_ei_candidates": 24, "multivariate": True, "group": True}
_GENETIC = {"population_size": 50, "mutation_prob": None, "crossover_prob": 0.9, "swapping_prob": 0.5}
_CMA = {"x0": None, "sigma0": None, "n_startup_trials": 1, "popsize": None, "use_separable_cma": False}
SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe": {"_target_": "optuna.samplers.TPESampler", "seed": 0, **_TPE},
    "random": {"_target_": "optuna.samplers.RandomSampler", "seed": 0},
    "gp": {"_target_": "optuna.samplers.GPSampler", "seed": 0, "n_startup_trials": 10},
    "qmc": {"_target_": "optuna.samplers.QMCSampler", "seed": 0, "qmc_type": "sobol", "scramble": True},
    "cmaes": {"_target_": "optuna.samplers.CmaEsSampler", "seed": 0, **_CMA},
    "nsgaii": {"_target_": "optuna.samplers.NSGAIISampler", "seed": 0, **_GENETIC},
    "nsgaiii": {"_target_": "optuna.samplers.NSGAIIISampler", "seed": 0, **_GENETIC},
    "motpe": {"_target_": "optuna.samplers.TPESampler", "seed": 0, **_TPE},
    "grid": {"_target_": "optuna.samplers.GridSampler", "_partial_": True},
    "brute_force": {"_target_": "optuna.samplers.BruteForceSampler", "seed": 0},
}
PRUNERS: dict[str, dict[str, Any]] = {
    "bound": {"_target_": "badger_sweeps.search.pruning.CensoredBound", "quantile": 0.0, "min_trials": 1},
    "none": {"_target_": "optuna.pruners.NopPruner"},
    "median": {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 5, "n_warmup_steps": 0},
    "successive_halving": {
        "_target_": "optuna.pruners.SuccessiveHalvingPruner",
        "min_resource": "auto",
        "reduction_factor": 4,
    },
    "hyperband": {
        "_target_": "optuna.pruners.HyperbandPruner",
        "min_resource": 1,
        "max_resource": "auto",
        "reduction_factor": 3,
    },
    "patient": {
        "_target_": "optuna.pruners.PatientPruner",
        "wrapped_pruner": {"_target_": "optuna.pruners.MedianPruner"},
        "patience": 10,
        "min_delta": 0.0,
    },
}


def register() -> None:
    """Register the settings in Hydra's config store."""
    store, provider = ConfigStore.instance(), "badger_sweeper"
    store.store(group="hydra/sweeper", name="badger", node=SWEEPER, provider=provider)
    store.store(group="hydra/sweeper", name="arms", node=ARMS, provider=provider)
    for name, node in SAMPLERS.items():
        store.store(group="hydra/sweeper/sampler", name=name, node=node, provider=provider)
    for name, node in PRUNERS.items():
        store.store(group="hydra/sweeper/pruner", name=name, node=node, provider=provider)


register()
