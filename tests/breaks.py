"""Deliberate breaks of the code, and the tests that must catch each: ``python -m tests.breaks [WORD...]``.

Whoever makes tests faster, by sharing what they use or by shrinking it, sees here that they still fail where they must.
Each break is made in a copy of the tree, in which its tests are then run; without any break they must pass. Words
select the breaks whose file or reason has one of them. The exit status is 1 if a break was missed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "results")


class Break(NamedTuple):
    """A text that is in a file once, what takes its place, and tests of which at least one must then fail."""

    file: str
    text: str
    replacement: str
    tests: str
    why: str


PAGE, SCRIPT = "tests/reporting/test_page.py::test_", "badger_sweeps/reporting/page/web/page.js"
SORTED = f"{PAGE}numbers_are_sorted_as_they_are_printed"
WATCH, LIVE = "tests/reporting/test_watch.py::test_", "badger_sweeps/reporting/page/live.py"
FOLLOWS = f"{WATCH}the_page_follows_a_run_and_keeps_the_users_choices"
BUILDING, COMPILER = "tests/engines/test_building.py::test_", "badger_sweeps/engines/native/compiler.py"
LIBRARY = "badger_sweeps/engines/native/library.py"
JOB, ERRORS = "tests/engines/test_job.py::test_", "tests/commands/test_errors.py::test_"
CLAIMS, ARMS = "tests/analysis/test_claims.py::test_", "badger_sweeps/reporting/reading/arms.py"
WANDB, STUDIES = "tests/tracking/test_wandb.py::test_", "tests/analysis/test_studies.py::test_"
RACING, RACE = "tests/search/test_racing.py::test_", "badger_sweeps/search/racing.py"
NUMBERS, RANDOM = "tests/core/test_counter_random.py::test_", "badger_sweeps/core/counter_random.py"
DESCENT, KERNEL = "tests/engines/test_descent.py::test_", "badger_sweeps/engines/native/kernel"
DRAWN_THERE = f"{DESCENT}the_kernel_draws_the_initial_states_to_the_bit"
ONE_LOOP = f"{DESCENT}it_is_gradient_descent_with_pytorchs_optimizer"
ANY_DIVISION = f"{DESCENT}it_is_the_same_for_any_division_into_calls"
POPULATION, HISTORY = "badger_sweeps/training/population.py", "badger_sweeps/runs/history.py"
CHUNKS = "tests/evaluation/test_chunks.py::test_"
LOOP = "tests/training/test_loop.py::test_"
MEASURING = "tests/runs/test_measuring.py::test_"
OF_HISTORY = "tests/runs/test_history.py::test_"
SAVES, SAVING = "tests/runs/test_checkpoint.py::test_", "badger_sweeps/runs/checkpoint.py"

BREAKS = [
    # Random numbers: those of PyTorch, and those of the kernel, which must be the same.
    Break(RANDOM, "ROUNDS = 10", "ROUNDS = 9", f"{NUMBERS}philox_gives_the_known_answers", "ten rounds"),
    Break(RANDOM, "spawn_key=(int(purpose),)", "spawn_key=()",
          f"{NUMBERS}a_number_depends_on_seed_purpose_batch_draw_row_and_position_alone", "purposes differ"),
    Break(RANDOM, "number[:, None, None], draw,", "number[:, None, None], 0,",
          f"{NUMBERS}a_number_depends_on_seed_purpose_batch_draw_row_and_position_alone", "draws differ"),
    Break(RANDOM, "torch.arange(first, min(rows, first + step)", "torch.arange(min(rows, step)",
          f"{NUMBERS}chunks_change_nothing", "rows of a later chunk"),
    Break(f"{KERNEL}/random.h", "swapped ? sine : cosine, second", "sine, second", DRAWN_THERE,
          "quarters of a circle"),
    Break(f"{KERNEL}/random.h", "{lanes + (unsigned)first, row", "{lanes, row", DRAWN_THERE, "counters of wide rows"),
    # Several iterations in one call.
    Break(f"{KERNEL}/descent.h", "length * first[k] / (__builtin_sqrtf(second[k]) / correction + epsilon)",
          "length * first[k] / (__builtin_sqrtf(second[k]) + epsilon)", ONE_LOOP, "Adam's correction of the squares"),
    Break(f"{KERNEL}/descent.h", "move = second[k] = b * second[k] + move", "move = second[k] = second[k] + move",
          ONE_LOOP, "RMSprop's momentum"),
    Break("badger_sweeps/engines/native/descent.py", 'self._state["step"] += iterations', 'self._state["step"] += 1',
          ANY_DIVISION, "all steps are counted"),
    Break(POPULATION, "(first - self._drawn_ahead.start) * members", "0", ANY_DIVISION, "games that were drawn ahead"),
    Break(POPULATION, "active = torch.cat([before[None], alive[:-1]])", "active = alive",
          f"{DESCENT}a_member_that_diverges_in_the_middle_of_a_call", "who diverges takes part once more"),
    Break(POPULATION, "        self.iteration += done", "        self.iteration += iterations",
          f"{DESCENT}training_ends_in_the_middle_of_a_call_in_which_the_last_member_diverged",
          "iterations without members"),
    Break(POPULATION, "{name: value.detach().clone() for", "{name: value.detach() for",
          "tests/rules/test_contract.py::test_what_a_rule_returns_and_later_changes_in_place_is_recorded_as_it_was",
          "metrics as they were"),
    Break("badger_sweeps/training/loop.py", "stop - population.iteration", "last - population.iteration",
          f"{MEASURING}measures_are_columns_of_the_history_at_their_own_cadence",
          "no chunk passes a stop"),
    Break("badger_sweeps/evaluation/recorder.py", "measures, ended = {}, records", "ended = records",
          f"{MEASURING}what_was_measured_belongs_to_the_first_of_several_iterations", "measures of one record"),
    Break("badger_sweeps/evaluation/chunks.py", "            evaluation.release()", "            pass",
          f"{CHUNKS}the_peak_of_memory_does_not_grow_with_the_population", "memory that is freed"),
    Break("badger_sweeps/evaluation/chunks.py", "seeds[first : first + self._size]", "seeds[: self._size]",
          f"{CHUNKS}values_are_the_same_to_the_bit_in_any_chunk_also_when_measured_again", "each chunk's own games"),
    Break(HISTORY, "if kept < ROWS_PER_PART:", "if True:",
          f"{OF_HISTORY}a_continued_run_can_be_killed_before_any_change_of_a_file", "parts of another length"),
    Break(HISTORY, " or not self._rows.schema.equals(pq.read_schema(path), check_metadata=True)", "",
          f"{OF_HISTORY}new_columns_are_in_every_part", "new columns in full parts"),
    Break(HISTORY, "            if part > self._path(self._part):", "            if part >= self._path(self._part):",
          f"{OF_HISTORY}a_continued_run_can_be_killed_before_any_change_of_a_file", "rows are there at every moment"),
    Break(HISTORY, 'glob("part-*.parquet"), reverse=True)', 'glob("part-*.parquet"))',
          f"{OF_HISTORY}a_continued_run_can_be_killed_before_any_change_of_a_file", "readers see no gap"),
    Break(HISTORY, "        self._flushed_at = time.monotonic()\n\n    def _write", "\n    def _write",
          f"{OF_HISTORY}at_most_a_second_is_unwritten", "a second from the last flush on"),
    Break(HISTORY, '"iteration": np.repeat(iterations, len(seeds))', '"iteration": np.tile(iterations, len(seeds))',
          "tests/runs/test_history.py", "rows of several iterations"),
    Break("badger_sweeps/runs/recorded_losses.py", "names, EVALUATION_LOSS, DIVERGED]", "names, DIVERGED]",
          f"{MEASURING}the_loss_history_is_restored_from_the_recorded_history", "all that the loss history needs"),
    Break("badger_sweeps/runs/summary.py", "if column.every_iteration]",
          'if column.every_iteration and name != "diverged"]',
          "tests/runs/test_run.py::test_a_member_may_diverge_while_its_losses_are_finite", "a summary's metrics"),
    Break(SAVING, "            return\n        due =", "            pass\n        due =",
          f"{SAVES}no_checkpoint_is_ahead_of_the_records_if_a_member_diverged_among_them", "records that follow"),
    Break(SAVING, "> population.iteration:", ">= population.iteration:",
          f"{SAVES}a_continued_run_keeps_the_snapshot_at_which_it_continues", "the snapshot of this iteration"),
    Break(SAVING, "self._write([*self._snapshot_if_due(), *([self._path] if due else [])])",
          "self._write([*([self._path] if due else []), *self._snapshot_if_due()])",
          f"{SAVES}a_snapshot_is_saved_before_the_checkpoint", "the checkpoint comes last"),
    Break("badger_sweeps/training/loop.py", "dtype=np.float32)[first:end].T", "dtype=np.float32)[: end - first].T",
          f"{DESCENT}what_is_scheduled_is_that_of_its_iteration_after_a_member_diverged_as_well",
          "schedules of a second piece"),
    Break(f"{KERNEL}/rollout.cpp", "alive &= std::isfinite(descent.errors[here * DIMS + d] = errors[d]);",
          "descent.errors[here * DIMS + d] = errors[d];",
          f"{DESCENT}a_member_diverges_if_its_loss_or_its_gradient_is_not_finite", "losses that are not finite"),
    Break(f"{KERNEL}/rollout.cpp", "bool alive = std::isfinite(norm);", "bool alive = true;",
          f"{DESCENT}a_member_diverges_if_its_loss_or_its_gradient_is_not_finite", "norms that are not finite"),
    Break("badger_sweeps/training/loop.py", "- started) / count", "- started)",
          f"{LOOP}a_call_has_as_many_iterations_as_fit_into_its_time", "the time of an iteration"),
    Break("badger_sweeps/training/loop.py", "min(LONGEST, ", "min(10**6, ",
          f"{LOOP}a_call_has_as_many_iterations_as_fit_into_its_time", "the longest call"),
    Break(POPULATION, "min(DRAWN_AHEAD, DRAWN_NUMBERS // each)", "DRAWN_AHEAD",
          f"{LOOP}no_more_is_drawn_ahead_than_fits_into_memory", "memory of games that are drawn ahead"),
    Break(POPULATION, "update.loss_dim.detach().clone()", "update.loss_dim.detach()",
          "tests/rules/test_contract.py::test_what_a_rule_returns_and_later_changes_in_place_is_recorded_as_it_was",
          "losses as they were"),
    Break("badger_sweeps/tasks/frequency.py", "cosines[..., k : k + 1] * sine", "cosines[..., :1] * sine",
          "tests/tasks/test_frequency.py", "each wave has its phase"),
    Break(POPULATION, "updates.alive & updates.loss_dim.isfinite().all(dim=2)", "updates.alive",
          f"{DESCENT}whose_losses_are_not_finite_has_diverged_whatever_the_rule_returns", "whatever a rule returns"),
    Break("badger_sweeps/rules/gradient_descent.py", "(norms + 1e-6)", "norms",
          f"{DESCENT}a_gradient_is_clipped_as_pytorch_clips_it", "clipping of PyTorch"),
    Break(f"{KERNEL}/rollout.cpp", "(norm + 1e-6f)", "norm",
          f"{DESCENT}a_gradient_is_clipped_as_pytorch_clips_it", "clipping of the kernel"),
    Break("badger_sweeps/tracking/wandb.py", "        self._wait(MOST_UNLOGGED)", "        self._wait(2**30)",
          f"{WANDB}the_run_waits_if_records_are_logged_more_slowly_than_they_come", "records that wait"),
    Break("badger_sweeps/configuration/files.py", "set().union(*(_keys_of(group, each) for each in inherited))",
          "set()",
          "tests/test_keys.py::test_the_keys_of_a_choice_are_those_that_hydra_composes", "inherited keys"),
    Break("badger_sweeps/commands/errors.py", '[] if group == "hydra" else ', "",
          f"{ERRORS}an_error_in_one_override_is_one_line", "Hydra's own keys"),
    Break("badger_sweeps/measures/one_by_one.py", "else item.clone()", "else item",
          f"{CHUNKS}values_are_the_same_to_the_bit_in_any_chunk_also_when_measured_again", "where an item begins"),
    Break("badger_sweeps/evaluation/context.py", ", initializer=torch.set_num_threads, initargs=(1,)", "",
          f"{CHUNKS}values_are_the_same_to_the_bit_in_any_chunk_also_when_measured_again", "threads do not share work"),
    Break("badger_sweeps/measures/information/copula.py", "_each(self._cholesky(covariance), torch.cholesky_inverse)",
          "torch.cholesky_inverse(self._cholesky(covariance))",
          f"{CHUNKS}values_are_the_same_to_the_bit_in_any_chunk_also_when_measured_again", "inverses of a batch"),
    Break("badger_sweeps/runs/checkpoint.py", "        if due:\n            self._before()\n", "",
          "tests/runs tests/tracking/test_wandb.py", "everything is logged before a checkpoint"),
    Break("badger_sweeps/tracking/wandb.py", "        self.flush()  # raises", "        pass  # raises",
          "tests/tracking", "an error of the thread that logs"),
    # The page: its tests share one page, and the tables that are sorted share one test.
    Break(SCRIPT, ": sign * compare(a, b)", ": compare(a, b)", SORTED, "descending order"),
    Break(SCRIPT, 'text.replace(/\u2212/g, "-")', "text", SORTED, "the typographic minus"),
    Break(SCRIPT, '"$1Infinity"', '"$1"', SORTED, "infinite values"),
    Break(SCRIPT, "cell.dataset.order ?? cell.innerText.trim()", "cell.innerText.trim()", SORTED, "keys of order"),
    Break(SCRIPT, "(a === null) - (b === null)", "(b === null) - (a === null)",
          f"{PAGE}missing_values_come_last_in_either_order", "missing values come last"),
    Break(SCRIPT, "picked === null || picked === run ? 1 : 0.12", "1",
          f"{PAGE}a_click_on_a_row_highlights_its_curves", "a row's curves stand out"),
    Break(SCRIPT, "box.checked = state.drawn.includes(name)", "box.checked = true",
          f"{PAGE}the_choice_of_drawn_configurations_survives_a_reload", "choices survive a reload"),
    Break("badger_sweeps/reporting/page/web/page.css", ".scroll { overflow-x: auto; max-width: 100%; }", ".scroll { }",
          f"{PAGE}axe_finds_nothing_serious_and_nothing_is_wider_than_the_page", "a phone does not scroll sideways"),
    Break("badger_sweeps/reporting/page/web/page.html", '<html lang="en">', "<html>",
          f"{PAGE}axe_finds_nothing_serious_and_nothing_is_wider_than_the_page", "screen readers know the language"),
    # The page of running runs: its clock is put forward, and its tests share a server.
    Break(SCRIPT, "answer !== version && ", "answer === version && ", FOLLOWS, "a new version is loaded"),
    Break(LIVE, "if current == self._built_from and self.path.exists():", "if self.path.exists():", FOLLOWS,
          "the page is built again"),
    Break(LIVE, 'in (HOST, "localhost"):', "is not None:",
          f"{WATCH}the_server_answers_this_machine_only_and_serves_the_runs_only", "names of other machines"),
    # How a kernel is built: its processes are forked, and the compiler does not optimise.
    Break(COMPILER, "_processor(), *flags]", "_processor()]", f"{BUILDING}built_once_and_kept", "other sizes"),
    Break(COMPILER, "[*source.values(), _version", "[_version",
          f"{BUILDING}a_changed_source_is_another_library", "another source"),
    Break(COMPILER, "[*shlex.split(extra), *FLAGS, ", "[*FLAGS, *shlex.split(extra), ",
          f"{BUILDING}another_march_gives_way_to_the_processor_that_is_here", "this processor's flags come last"),
    Break(COMPILER, "if shutil.which(command[0])]", "]", f"{BUILDING}without_a_compiler", "no compiler is told"),
    Break(COMPILER, "        except OSError as error:", "        except EOFError as error:",
          f"{BUILDING}where_nothing_can_be_written", "a cache that cannot be written"),
    Break(LIBRARY, "except (OSError, ValueError, AttributeError):", "except EOFError:",
          f"{BUILDING}a_damaged_library_is_built_again", "a damaged library"),
    Break(LIBRARY, "Layout(**dict(zip(names, values, strict=True)))",
          "Layout(*values)", f"{JOB}the_order_of_the_fields_does_not_matter", "a layout is read by name"),
    Break("badger_sweeps/engines/native/job.py", '("requires", missing)', '("requires", set())',
          f"{JOB}a_field_that_is_not_given_is_refused", "fields that are lacking"),
    Break("badger_sweeps/engines/native/job.py", '("has no", unknown)', '("has no", set())',
          f"{JOB}a_name_that_one_side_does_not_know_is_refused", "fields that are not known"),
    # Made-up arms share the outcomes of their losses.
    Break(ARMS, "known.get((seed, iteration))", "known.get((0, iteration))",
          f"{CLAIMS}the_verdict_is_that_which_was_planted", "each seed has its own values"),
    Break(ARMS, "return self.curve(column).y[:, -1]", "return self.curve(column).y[:, 0]",
          f"{CLAIMS}the_verdict_is_that_which_was_planted", "the last value is the last"),
    Break("badger_sweeps/measures/plateaus.py", " and segment.slower_than_surroundings(gap=1 / staircase.parts)", "",
          "tests/measures/test_plateaus.py", "slow drifts are no plateaus"),
    Break("badger_sweeps/measures/plateaus.py", " and together.flat(tolerance)", "",
          "tests/measures/test_plateaus.py", "neighbours that are flat together"),
    # Evidence is tried on fewer numbers of seeds.
    Break("badger_sweeps/reporting/inference/evidence.py", "(p, 1.0) if count < bound * seeds else (1.0, p)",
          "(p, 1.0)", "tests/reporting/test_evidence.py::test_no_count_of_seeds_speaks_for_a_few_and_against_them",
          "many are not few"),
    Break("badger_sweeps/statistics/estimates.py", 'proportion_ci(method="wilson")', 'proportion_ci(method="exact")',
          "tests/statistics/test_estimates.py", "the interval that is named"),
    Break("badger_sweeps/statistics/estimates.py", "float(2.0 ** -len(differences))",
          "float(2.0 ** (1 - len(differences)))", "tests/statistics/test_estimates.py", "one-sided tests"),
    # Studies, W&B and the wheel: each with one worker, and forks that end at once.
    Break("badger_sweeps/reporting/studies/evaluation.py", '"must have all arms of the study finished"',
          '"must be whole"', f"{STUDIES}a_study_that_is_not_whole_is_told_in_one_line", "a study that is not whole"),
    Break("badger_sweeps/tracking/wandb.py", 'config={**run.config, "seed": seed}', "config=run.config",
          f"{WANDB}one_run_for_each_seed_grouped_by_configuration", "a seed is in its configuration"),
    Break("badger_sweeps/tracking/wandb.py", "step=self._stride * iteration", "step=iteration",
          f"{WANDB}rows_are_those_of_the_history", "steps leave room for those of the inner loop"),
    Break("pyproject.toml", 'sources = {"conf" = "badger_sweeps/conf", ', "sources = {",
          "tests/test_package.py::test_the_wheel_has_the_configuration_and_the_page", "configuration in the wheel"),
    Break("badger_sweeps/loading.py", "**outcome.as_row(),", "", "tests/test_package.py::test_the_readmes_python_runs "
          "tests/test_loading.py", "summaries have outcomes"),
    Break("badger_sweeps/commands/errors.py", "EXIT_STATUS = 2", "EXIT_STATUS = 1",
          f"{ERRORS}an_error_in_one_override_is_one_line", "the exit status of a user error"),
    Break("badger_sweeps/commands/errors.py", "traceback.print_exception(error)", "pass",
          f"{ERRORS}a_traceback_on_request", "a traceback where it is asked for"),
    Break("badger_sweeps/configuration/files.py", "        own = own.get(group)", "        pass",
          f"{ERRORS}an_error_in_one_override_is_one_line", "keys of a study's file are not the study's"),
    # Searches are run in forks.
    Break(RACE, "start: Annotated[Count, Field(ge=2)] = 6", "start: Count = 6",
          f"{RACING}a_race_that_makes_no_sense_is_refused_in_one_line", "a race of one seed"),
    Break(RACE, "begin, end = end, 2 * end", "begin, end = end, 2 * end + 1",
          f"{RACING}stages_add_all_seeds_in_order_and_double_them", "stages double the seeds"),
    Break(RACE, "max(left / 2, 0.5**pairs)", "left", f"{RACING}all_looks_together_have_no_more_than_was_promised "
          f"{RACING}each_look_that_can_end_a_trial_has_its_share_of_the_promise", "looks share the error rate"),
    Break("badger_sweeps/search/space.py", "distribution.low, distribution.high + 1, ",
          "distribution.low, distribution.high, ", "tests/search/test_space.py", "a range has its end"),
    Break("badger_sweeps/search/leases.py", "self.deaths + died", "self.deaths + 1", "tests/search/test_leases.py",
          "only deaths are counted"),
    Break("badger_sweeps/search/leases.py", "return not alive", "return False", "tests/search/test_leases.py",
          "a dead process on this machine"),
    # What is computed.
    Break("badger_sweeps/losses/l1.py", "difference.abs()", "difference", "tests/losses", "errors of either sign"),
    Break("badger_sweeps/schedules/cosine.py", "(iteration + 1) / (self.warmup + 1)", "iteration / (self.warmup + 1)",
          "tests/schedules", "a warm-up begins above 0"),
    Break("badger_sweeps/topologies/ring.py", "nx.cycle_graph", "nx.path_graph", "tests/topologies/test_graphs.py",
          "a ring is closed"),
    Break("badger_sweeps/measures/information/ksg.py", "nats / math.log(2)", "nats",
          "tests/measures/information/test_ksg.py", "bits"),
    Break("badger_sweeps/measures/escape.py", "levels - self._staircase.tolerance", "levels",
          "tests/measures/test_staircase_and_escape.py", "a level is left below its tolerance"),
]  # fmt: skip


def main(words: list[str]) -> int:
    """Makes the breaks, in as many copies at once as there are processors; gives the exit status."""
    chosen = [each for each in BREAKS if not words or any(word in f"{each.file} {each.why}" for word in words)]
    every = sorted({test for each in chosen for test in each.tests.split()})
    with TemporaryDirectory() as folder, ThreadPoolExecutor(count := os.cpu_count() or 1) as pool:
        copies = SimpleQueue[Path]()
        for number in range(count):
            copies.put(Path(shutil.copytree(ROOT, Path(folder) / str(number), ignore=LEFT_OUT)))
        whole = pool.submit(tried, every, copies)
        missed = 0
        found = pool.map(lambda each: tried(each.tests.split(), copies, each), chosen)
        for each, done in zip(chosen, found, strict=True):
            caught = done.returncode == pytest.ExitCode.TESTS_FAILED
            missed += not caught
            status = "caught" if caught else f"MISSED (status {done.returncode})"
            print(status, each.file, each.why, sep=": ", flush=True)
        print(f"{len(chosen) - missed} of {len(chosen)} breaks were caught.")
        if whole.result().returncode != 0:
            print(whole.result().stdout, "Without any break these tests must pass.", sep="\n")
            return 1
        return int(missed > 0)


def tried(tests: list[str], copies: SimpleQueue[Path], each: Break | None = None) -> subprocess.CompletedProcess[str]:
    """Tests that are run in a copy of the tree with a break, or without any; the copy is as before afterwards."""
    tree = copies.get()
    path = tree / (each or BREAKS[0]).file
    before = path.read_text()
    if each is not None:
        path.write_text(before.replace(each.text, each.replacement))
    try:
        return run(tree, tests)
    finally:
        path.write_text(before)
        copies.put(tree)


def run(tree: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """These tests in this copy of the tree, up to the first that fails."""
    options = ["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-n", "0"]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    words = [sys.executable, "-m", "pytest", *options, *tests]
    return subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
