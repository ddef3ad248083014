"""A gate that was installed without what the load tester needs says so, whatever is asked of it."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = {"hdrhistogram": "hdrh"}
"""Names of modules that differ from those of their packages."""
EXTRA: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]["loadtest"]


@pytest.mark.parametrize("package", [each.partition(">=")[0] for each in EXTRA])
@pytest.mark.parametrize("arguments", [(), ("run", "--target", "http://127.0.0.1:1")])
def test_what_is_missing_is_told(package: str, arguments: tuple[str, ...]) -> None:
    """With any options, and for each package alone; other commands are there."""
    code = (
        f"import sys; sys.modules[{MODULES.get(package, package)!r}] = None\n"
        "import typer\n"
        "from gateway.commands import load\n"
        "app = typer.Typer()\n"
        "app.command('other')(lambda: None)\n"
        "load.register(app)\n"
        f"app(['load', *{list(arguments)!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "pip install 'ordergate[loadtest]'" in done.stderr
    assert "Traceback" not in done.stderr
