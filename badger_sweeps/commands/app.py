"""``badger-sweeps KEY=VALUE ...``: the Hydra application that trains runs."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.commands.command import COMMANDS, argument_error, unknown_word
from badger_sweeps.commands.errors import explained
from badger_sweeps.configuration import files
from badger_sweeps.core.errors import UsageError
from badger_sweeps.measures.unmeasurable import print_warnings_in_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from badger_sweeps.runs.run import Plan


def commands_help() -> str:
    """The lines of `--help` for the commands."""
    return "\n".join(f"  {name:<18} {does}" for name, does in COMMANDS.items())


OmegaConf.register_new_resolver("commands", commands_help, replace=True)


def main() -> None:
    """Train the runs of the command line.

    Exit status: 0 if all runs finished, 2 after a user error, 130 or 143 after Ctrl-C or SIGTERM.
    """
    print_warnings_in_one_line()
    if len(sys.argv) > 1 and _is_a_word(sys.argv[1]):
        raise explained(unknown_word(sys.argv[1]))
    parser = get_args_parser()
    parser.exit_on_error = False  # else it would print its usage block
    try:
        _, unknown = parser.parse_known_args()
    except ArgumentError as error:
        raise explained(UsageError(argument_error(str(error)))) from None
    if unknown:
        raise explained(UsageError(f"`{unknown[0]}` is not an option; `badger-sweeps --help` says what can be typed."))
    application = hydra.main(config_path=str(files.folder()), config_name=files.MAIN_CONFIG, version_base="1.3")(_job)
    # Hydra prints long error messages unless this variable makes it raise the errors. Users set the same variable to
    # see tracebacks; `errors.full_errors` has their setting.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        application()
    except KeyboardInterrupt:  # before training, or a second Ctrl-C
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        raise explained(error) from error.__cause__


def train(overrides: Sequence[str]) -> None:
    """Run the application with these overrides as its arguments; return when all runs are finished.

    Raises:
        SystemExit: the runs were stopped, or there was a user error; see `main`.
    """
    arguments = sys.argv
    sys.argv = [arguments[0], *overrides]
    try:
        main()
    finally:
        sys.argv = arguments


def _is_a_word(argument: str) -> bool:
    """Whether an argument is neither an override nor an option."""
    return "=" not in argument and not argument.startswith(("-", "~"))


def _job(config: DictConfig) -> float | tuple[float, ...]:
    """Train one run, and return its objectives for sweepers."""
    from rich.console import Console

    from badger_sweeps.commands.summary_line import summary_line
    from badger_sweeps.configuration.builder import plan
    from badger_sweeps.runs.run import Interrupted, run
    from badger_sweeps.search.current_trial import current_trial

    hydra_config = cast(DictConfig, HydraConfig.get())
    trial = current_trial()
    if trial is not None:
        # The sweeper's worker runs this job for a trial (`hydra_plugins.badger_sweeper._worker`). Errors are not
        # explained here: Hydra hands them to the worker in the job's return value, and the worker decides whether the
        # trial has failed, is re-queued, or belongs to another process now.
        from badger_sweeps.search.trial_training import run_trial

        return run_trial(plan(config, hydra_config, Path(hydra_config.runtime.output_dir)), trial)
    console = Console()
    try:
        planned = plan(config, hydra_config, Path(hydra_config.runtime.output_dir))
        if config.reuse and hydra_config.runtime.choices.get("study") and hydra_config.mode == RunMode.MULTIRUN:
            _take_over(planned, Path(hydra_config.sweep.dir).parent, console)
        summary = run(planned, console)
    except Interrupted as interrupted:
        key = "hydra.run.dir" if hydra_config.mode == RunMode.RUN else "hydra.sweep.dir"
        where = os.path.relpath(OmegaConf.select(hydra_config, key.removeprefix("hydra.")))
        stopped = f"{planned.name}: stopped after {interrupted.iteration} iterations"
        note = f"{stopped}; the same command with {key}={where} continues"
        console.print(note, markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(interrupted.exit_status) from None
    except Exception as error:
        raise explained(error) from error.__cause__
    console.print(summary_line(summary, planned.folder), markup=False, highlight=False, soft_wrap=True)
    return summary.value.value


def _take_over(planned: Plan, studies: Path, console: Console) -> None:
    """Copy a finished run of another study with the same configuration and code, if there is one, and print this."""
    from badger_sweeps.runs.delivery import deliver
    from badger_sweeps.runs.reuse import copy_run, find_reusable_run
    from badger_sweeps.tracking.wandb import WandB

    original = find_reusable_run(planned, studies)
    if original is None:
        return
    copy_run(original, planned)
    note = f"{planned.name}: taken over from {os.path.relpath(original)}, which has the same configuration and code"
    console.print(note, markup=False, highlight=False, soft_wrap=True)
    # Offline, `badger-sweeps sync` delivers the run from its history.
    if isinstance(planned.tracking, WandB) and planned.tracking.mode == "online":
        deliver(planned, console)
