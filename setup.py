"""Builds `rules/` with mypyc when asked to: `ORDERGATE_COMPILE=1 pip wheel .` makes a compiled wheel.

Everything else about the project stands in pyproject.toml. A plain build has no compiled parts.
"""

import os
import sys
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def compiled_modules() -> list[str]:
    """Return the files mypyc compiles: all of rules/ but those that must stay interpreted."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        interpreted = set(tomllib.load(file)["tool"]["ordergate"]["interpreted"])
    files = (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "rules").rglob("*.py")))
    return [file for file in files if file not in interpreted and not file.endswith("__init__.py")]


BUILDS: set[str] = {"bdist_wheel", "build_ext", "build", "install"}
"""Commands that need the compiled modules; the others only ask about the project."""

if os.environ.get("ORDERGATE_COMPILE") == "1":
    try:
        from mypyc.build import mypycify
    except ImportError:
        # The first call of an isolated build only asks what it needs.
        setup(setup_requires=["mypy>=1.18"])
    else:
        level = os.environ.get("ORDERGATE_COMPILE_LEVEL", "3")
        wanted = bool(BUILDS.intersection(sys.argv))
        modules = mypycify(compiled_modules(), opt_level=level) if wanted else []
        setup(setup_requires=["mypy>=1.18"], ext_modules=modules)
else:
    setup()
