"""Commands in processes of their own that need not import PyTorch first: each is a fork of one that has done so.

What a user types takes three seconds to import what it needs, and the tests type it hundreds of times. A process that
has imported the libraries and done nothing else forks for every command. Signals, kills and whatever depends on how a
process starts are tested with processes that are started anew.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

IMPORTED = (
    "badger_sweeps.configuration.builder",
    "badger_sweeps.search.search",
    "badger_sweeps.reporting.page.page",
    "badger_sweeps.reporting.plotting.matplotlib_backend",
    "badger_sweeps.reporting.remeasure.plateaus",
)
"""No module that is run itself: Python would warn that it was there before. Nor W&B: the first fork that ends would
delete its temporary folder."""
_forking: subprocess.Popen[str] | None = None


def run(
    words: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """``subprocess.run`` of ``[sys.executable, "-m", MODULE, ...]``, with its output as text and its exit status."""
    assert list(words[:2]) == [sys.executable, "-m"]
    forking = _start()
    assert forking.stdin is not None
    assert forking.stdout is not None
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        task = {
            "module": words[2], "arguments": list(words[3:]), "cwd": os.fspath(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env), "out": str(out), "err": str(err),
        }  # fmt: skip
        forking.stdin.write(json.dumps(task) + "\n")
        forking.stdin.flush()
        status = int(forking.stdout.readline())
        return subprocess.CompletedProcess(list(words), status, out.read_text(), err.read_text())


def _start() -> subprocess.Popen[str]:
    global _forking
    if _forking is None:
        command = [sys.executable, "-m", "tests.warm"]
        root = Path(__file__).parent.parent
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        _forking = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=env
        )
        atexit.register(_stop, _forking)
    return _forking


def _stop(forking: subprocess.Popen[str]) -> None:
    with forking:  # closes its pipes, and waits for it
        forking.kill()


def _wait_for_a_task() -> dict[str, str]:
    """In a fork, its task; the process that forks ends here when nobody asks any more."""
    atexit.register(_end)  # before the libraries register theirs: the last one called
    for module in IMPORTED:
        import_module(module)
    gc.freeze()  # or every fork would search PyTorch's objects for garbage when it ends, which takes a second
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            return dict(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    raise SystemExit(0)


status = 1
"""Of a fork; that of a command which ends by an exception until it is known to be another."""


def _end() -> None:
    """End a fork without giving back object by object the memory that it shares: most commands take no longer."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    task = _wait_for_a_task()
    os.chdir(task["cwd"])
    os.environ.clear()
    os.environ.update(task["env"])  # type: ignore[arg-type]
    for descriptor, path in ((1, task["out"]), (2, task["err"])):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.argv = [task["module"], *task["arguments"]]
    sys.path[0] = task["cwd"]
    try:
        runpy.run_module(task["module"], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
