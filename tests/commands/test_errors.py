"""User errors: one line, exit status 2, and no files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.commands import app, errors, preflight
from badger_sweeps.configuration import files
from tests import warm
from tests.choices import choices_of

ARCHITECTURES = f"`architecture` must be one of {', '.join(choices_of('architecture'))}; found"
STUDIES = f"`study` must be one of {', '.join(choices_of('study'))}; found"
MISTAKES = {
    "trainig.iterations=3": "`trainig.iterations` is not a known key. Did you mean `training.iterations`?",
    "iterations=3": "`iterations` is not a known key. Did you mean `training.iterations`?",
    "architectur=gru": "`architectur` is not a known key. Did you mean `architecture`?",
    "architecture.hiden=3": "`architecture.hiden` is not a known key. Did you mean `architecture.hidden`?",
    "architecture={hiden: 3}": "`architecture.hiden` is not a known key. Did you mean `architecture.hidden`?",
    "study.seeds=3": "`study.seeds` is not a known key.",
    "+training.foo=3": "`training.foo` is not a known key; found 3.",
    "+foo=1": "`foo` is not a known key.",
    "hydra.sweeper.lr=3": "`hydra.sweeper.lr` is not a known key.",
    "+seeds=3": "`seeds` must be set without the +, since it is a known key.",
    "~seeds": "`seeds` must be given; found nothing.",
    "architecture=gruu": f"{ARCHITECTURES} 'gruu'. Did you mean `gru`?",
    "study=quickstrt": f"{STUDIES} 'quickstrt'. Did you mean `quickstart`?",
    "architecture=gru,exponential": "`architecture` has several values; put -m before them to run one after another.",
    "training.iterations=abc": "`training.iterations` must be a whole number; found 'abc'.",
    "training.iterations=0": "`training.iterations` must be at least 1; found 0.",
    "task.dims=0": "`task.dims` must be at least 1; found 0.",
    "task.dims=101": "`task.dims` must be at most 100; found 101.",
    "task.dims=4.5": "`task.dims` must be a whole number; found 4.5.",
    "task.dims=true": "`task.dims` must be a whole number; found True.",
    "topology.links=16": "`topology.links` must be below `topology.experts`; found links=16, experts=16.",
    "topology=file": "`topology.file` must be given; found nothing.",
    "topology.file=mine.txt": "`topology.file` is a key of topology=file, not of the choice made.",
    "topology.links=0": "`topology.links` must be at least 1; found 0.",
    "optimizer.lr=nan": "`optimizer.lr` must be a finite number; found nan.",
    "optimizer.lr=-1": "`optimizer.lr` must be at least 0.0; found -1.",
    "optimizer.lr=fast": "`optimizer.lr` must be a number; found 'fast'.",
    "seeds=[]": "`seeds` must not be empty; found ().",
    "seeds=0": "`seeds` must be a count from 1 to 100000, or a list; found 0.",
    "seeds=1000000000000": "`seeds` must be a count from 1 to 100000, or a list; found 1000000000000.",
    "~training": "`training` must be a choice of its group or its keys; found None.",
    "loss=[mse]": "`loss` must be one choice of its group; found none.",
    "~tracking": "`tracking` must be one choice of its group; found none.",
    "architecture.hidden=1000000000000": "`architecture.hidden` must be at most 100000; found 1000000000000.",
    "engine.threads=100000": "`engine.threads` must be at most 1024; found 100000.",
    "tracking.project=a/b": r"`tracking.project` must match ^[^/\\#?%:]{1,128}$; found 'a/b'.",
    "hydra.run.dir=": "`hydra.run.dir` must name a folder; found ''.",
    "seeds=[1,2,1]": "`seeds` must all be different; found repeated=[1].",
    "seeds=[-1]": "`seeds[0]` must be at least 0; found -1.",
    "seeds=[9223372036854775808]": "`seeds[0]` must be below 9223372036854775808; found 9223372036854775808.",
    "seeds=many": "`seeds` must be a count or a list of whole numbers; found 'many'.",
    "device=tpu": "`device` must be one of 'auto', 'cpu' or 'cuda'; found 'tpu'.",
    "training.batch_size=0": "`training.batch_size` must be at least 1; found 0.",
    "training.inner_steps=0": "`training.inner_steps` must be at least 1; found 0.",
    "training.loss_steps=21": (
        "`training.loss_steps` must be at most `training.inner_steps`; found loss_steps=21, inner_steps=20."
    ),
    "training=3": "`training` must be a choice of its group or its keys; found 3.",
    "objective=speed": (
        "`objective` must be one of escape_iteration, plateau_iterations, solved_iteration, final_loss, "
        "or a list of them; found 'speed'."
    ),
    "tracking.mode=onlin": "`tracking.mode` must be one of 'offline' or 'online'; found 'onlin'.",
    "architecture.reset_gate=3": "`architecture.reset_gate` must be true or false; found 3.",
}


def printed_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """The line that a command prints to stderr, after checking that the command ends as after a user error."""
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", *arguments])
    monkeypatch.setattr(errors, "full_errors", False)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit) as exit_:
        app.main()
    assert exit_.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err.removeprefix("badger-sweeps: ").rstrip("\n")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_error_in_one_override_is_one_line(
    mistake: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed_error(capsys, monkeypatch, mistake) == MISTAKES[mistake]
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("-m", "topology.links=4,99"),
            "`topology.links` must be below `topology.experts`; found links=99, experts=16.",
        ),
        (
            ("-m", "architecture=gru,gur"),
            f"{ARCHITECTURES} 'gur'.",
        ),
        (
            ("topology=file", "topology.file=mine.txt"),
            "`topology.file` must hold a graph, as GraphML or as a list of edges; found in `mine.txt`: No such file",
        ),
        (
            ("architecture=lstm", "topology=ring"),
            "`topology.experts` must be 1 (topology=single) with LSTM, a single-agent architecture; found ",
        ),
        (
            ("-m", "architecture=gru,lstm", "topology=ring"),
            "`topology.experts` must be 1 (topology=single) with LSTM, a single-agent architecture; found ",
        ),
        (
            ("architecture=lstm_quantized", "readout=weighted"),
            "`readout` must be Mean with LSTMQuantized, a single-agent architecture; found Weighted.",
        ),
        (
            ("architecture=supervised_lstm", "task=guessing_game"),
            "`task` must be one with inputs (task=frequency) with SupervisedLSTM, which reads them; found ",
        ),
        (
            ("architecture=supervised_lstm", "training.inner_steps=20"),
            "`training.inner_steps` must be 1 with SupervisedLSTM, which has no inner loop; found",
        ),
        (
            ("architecture=tcnn", "training.iterations=many"),
            "`training.iterations` must be a whole number; found 'many'.",
        ),
        (("topology=disconnected", "topology.links=2"), "`topology.links` is a key of topology="),
        (("-m", "optimizer.lr=range(0,-1)"), "`-m` must give at least one job; found a key with no values."),
        (("-m", "objective=final_loss,escape_iteration"), "`hydra.sweep.subdir` must differ from job to job; found"),
        (("-m", "seeds=1,2", "hydra.sweep.subdir=x"), "`hydra.sweep.subdir` must differ from job to job; found"),
        (("-m", "hydra.sweeper.n_trials=3"), "`hydra.sweeper.n_trials` is not a known key."),
        (("aggregator=[pcgrad,mgda]",), "`aggregator` must be one choice of its group; found none."),
        (("~feedback",), "`feedback` must be one choice of its group; found none."),
        (
            ("architecture=supervised_lstm", "task=frequency", "feedback=l1"),
            "`feedback` must be SameAsLoss with SupervisedLSTM, which reads no error; found AbsoluteErrorFeedback.",
        ),
        (("study=shorten_plateaus", "scale=small"), "`scale` must be one of quick, full; found 'small'."),
        (("study=shorten_plateaus", "hydra.sweeper.n_trials=0"), "`hydra.sweeper.n_trials` must be a whole number of"),
        (("study=shorten_plateaus", "seeds=choice(3,4)"), "`seeds` must be the same in every trial of a search; found"),
        (
            ("study=shorten_plateaus", "optimizer.lr=interval(0.01,0.1)"),
            "`hydra.sweeper.warm_start` must lie in the search space; found optimizer.lr=0.001.",
        ),
        (
            ("study=shorten_plateaus", "hydra.sweeper.storage=mysql://me:secret@there/db"),
            "`hydra.sweeper.storage` must be the path of a journal file, sqlite:///PATH or postgresql://USER@HOST/DATA",
        ),
        (("study=shorten_plateaus", "hydra.sweeper.direction=up"), "`hydra.sweeper.direction` must be minimize or max"),
        (("architecture=null",), "Config group override must be a string or a list."),
        (("task.dims=${foo}",), "Interpolation key 'foo' not found"),
        (("seeds",), "`seeds` must be KEY=VALUE or a command (report, compare, "),
    ],
)
def test_an_error_in_several_arguments_is_one_line(
    arguments: tuple[str, ...],
    expected: str,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert printed_error(capsys, monkeypatch, *arguments).startswith(expected)
    assert list(here.iterdir()) == []


def test_a_device_this_machine_lacks(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    expected = "`device` must be one this machine has; found device=cuda, cuda_devices=0."
    assert printed_error(capsys, monkeypatch, "device=cuda") == expected


def test_a_folder_that_is_a_file(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "file").write_text("mine")
    line = printed_error(capsys, monkeypatch, "hydra.run.dir=file/run")
    assert line == f"`file/run` must be a folder; found the file `{here / 'file'}`."
    assert (here / "file").read_text() == "mine"


def test_a_folder_without_permission(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    line = printed_error(capsys, monkeypatch, "hydra.run.dir=run")
    assert line.startswith("`run` must be a folder that can be written; found no permission")


def test_a_folder_the_system_refuses(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = printed_error(capsys, monkeypatch, "hydra.run.dir=/proc/no/run")
    assert "must be one that can be read and written" in line


def test_a_traceback_on_request(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "badger_sweeps", "task.dims=0"]
    shown = warm.run(words, cwd=tmp_path, env={"HYDRA_FULL_ERROR": "1", "PATH": ""})
    assert shown.returncode == 2
    assert "Traceback" in shown.stderr


def test_defects_keep_their_traceback() -> None:
    defect = ZeroDivisionError("ours")
    assert errors.explained(defect) is defect


@pytest.mark.parametrize("arguments", [["--help"], ["trainig.iterations=3"], ["architecture=gruu"], ["--cfg", "job"]])
def test_help_and_errors_do_not_load_torch_or_wandb(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from badger_sweeps.commands.app import main\n"
        f"sys.argv = ['badger-sweeps', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', sorted({'torch', 'wandb', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert shown.stdout.endswith("loaded: []\n")


@pytest.mark.slow
def test_sweeps_over_all_choices_and_over_nested_keys(tmp_path: Path) -> None:
    """`glob` requires Hydra's own loader, and settings given as a dictionary must have separate folders."""
    small = [
        "architecture.hidden=4",
        "training.inner_steps=2",
        "training.batch_size=4",
        "training.iterations=2",
        "seeds=1",
    ]
    for sweep, jobs in (("topology=glob(*ring*)", 2), ("architecture={hidden:3},{hidden:5}", 2)):
        folder = tmp_path / sweep
        command = [sys.executable, "-m", "badger_sweeps", "-m", sweep, *small, "tracking=disabled"]
        done = warm.run([*command, f"hydra.sweep.dir='{folder}'"])
        assert done.returncode == 0, done.stderr
        assert len(list(folder.glob("*/summary.json"))) == jobs


def test_every_architecture_runs_with_one_override(tmp_path: Path) -> None:
    """Each sets the other groups that it requires; `architecture=glob(*)` runs them all."""
    small = ["architecture.hidden=4", "training.batch_size=4", "training.iterations=2", "seeds=1"]
    command = [sys.executable, "-m", "badger_sweeps", "-m", "architecture=glob(*)", *small, "tracking=disabled"]
    done = warm.run([*command, f"hydra.sweep.dir={tmp_path}"])
    assert done.returncode == 0, done.stderr
    jobs = {
        path.parent.name.split(",")[0]: OmegaConf.load(path.parent / ".hydra/config.yaml")
        for path in tmp_path.glob("*/summary.json")
    }
    assert sorted(jobs) == choices_of("architecture")
    inner_steps = {name: config.training.inner_steps for name, config in jobs.items()}
    of_the_document = {
        "gru": 20,
        "exponential": 20,
        "tcnn": 20,
        "lstm": 40,
        "lstm_quantized": 100,
        "supervised_lstm": 1,
    }
    assert inner_steps.items() >= of_the_document.items()
    for name in of_the_document:
        assert (jobs[name].topology.experts == 1) == ("lstm" in name)


def test_help_describes_every_choice() -> None:
    """A line for each group, and below it one for each of its choices, with the first comment of its file."""
    shown_help = warm.run([sys.executable, "-m", "badger_sweeps", "--help"])
    assert shown_help.returncode == 0, shown_help.stderr
    lines = shown_help.stdout.splitlines()
    for folder in (path for path in files.folder().iterdir() if path.is_dir()):
        start = next(number for number, line in enumerate(lines) if line.startswith(f"{folder.name}: "))
        shown = lines[start + 1 : start + 1 + len(list(folder.glob("*.yaml")))]
        assert [line.split()[0] for line in shown] == choices_of(folder.name)
        for line, choice in zip(shown, choices_of(folder.name), strict=True):
            text = (folder / f"{choice}.yaml").read_text().removeprefix("# @package _global_\n")
            assert line.split(maxsplit=1)[1] == text.splitlines()[0].removeprefix("# ")


@pytest.mark.parametrize(
    ("wrong", "expected", "most"),
    [
        (
            "topology.links=range(1,9)",
            "`topology.links` must be below `topology.experts`; found links=9, experts=8.",
            13,
        ),
        ("loss=choice(mse,l3)", "`loss` must be one of l1, mse; found 'l3'.", 13),
        ("training.inner_steps=0", "`training.inner_steps` must be at least 1; found 0.", 4),
    ],
)
def test_a_search_with_a_wrong_value_composes_few_configurations(
    wrong: str,
    expected: str,
    most: int,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None twice; and first those with a value that no valid configuration has."""
    composed: list[tuple[str, ...]] = []
    compose = preflight.compose

    def counted(name: str, overrides: list[str], return_hydra_config: bool) -> DictConfig:
        composed.append(tuple(overrides))
        return compose(name, overrides, return_hydra_config=return_hydra_config)

    monkeypatch.setattr(preflight, "compose", counted)
    assert printed_error(capsys, monkeypatch, "study=shorten_plateaus", "scale=quick", wrong) == expected
    assert len(composed) == len(set(composed))
    assert len(composed) <= most
    assert list(here.iterdir()) == []
