"""What others install, and what the README promises."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_wheel_has_the_configuration(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".yaml")}
    expected = {f"badger_sweeps/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert inside == expected


def test_the_wheel_runs_without_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "site" / "conf").mkdir()
    (tmp_path / "site" / "conf" / "somebody_elses.yaml").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import badger_sweeps.commands.app as app\n"
        f"assert app.__file__.startswith({str(tmp_path)!r}), app.__file__\n"
        "from badger_sweeps.runs.code import code_files\n"
        "parts = {name.split('/')[0] for name, _ in code_files()}\n"
        "assert parts == {'badger_sweeps', 'hydra_plugins'}, parts\n"
        "assert 'badger_sweeps/conf/config.yaml' in dict(code_files())\n"
        "sys.argv = ['badger-sweeps', '--cfg', 'job']; app.main()"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "batch_size: 64" in shown.stdout


@pytest.mark.parametrize("number", [0])
def test_the_readmes_python_runs(number: int, tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[number]
    assert len(example.strip().splitlines()) <= 10
    shown = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.splitlines()) > 3


def test_torch_is_pinned_exactly() -> None:
    assert "torch==2.13.0\n" in (ROOT / "constraints.txt").read_text()
    assert '"torch==2.13.0",' in (ROOT / "pyproject.toml").read_text()
