"""Virtual environments of the real clients, one each, made at first use.

Several clients install a top-level package of the same name, and none may see the gate's own
packages, so each gets an environment of its own under `.cache/clients`. The folder's name carries
a hash of what is installed: another version is another folder, and an environment is never
changed once it is complete.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = {
    "python-binance": ("python-binance==1.0.37",),
    "binance-connector": ("binance-connector==3.13.0",),
    "ccxt": ("ccxt==4.5.90",),
    "binance-sdk-spot": ("binance-sdk-spot==13.2.0",),
}
"""Every client that is tested, and what pip installs for it."""
REPOSITORY: Final = Path(__file__).resolve().parents[2]
CACHE: Final = REPOSITORY / ".cache" / "clients"
INSTALL_SECONDS: Final = 540.0
"""How long pip may take for one client."""
_COMPLETE: Final = "complete"


def python_of(client: str) -> Path:
    """Return the Python of a client's environment, which is made if there is none yet.

    Raises `RuntimeError` with pip's own words if the client can't be installed.
    """
    requirements = REQUIREMENTS[client]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join((version, *requirements)).encode()).hexdigest()[:12]
    home = CACHE / f"{client}-{digest}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (home / _COMPLETE).exists():
        return python
    with _locked(CACHE / f"{client}-{digest}.lock"):
        # Another test run may have made it while this one waited.
        if not (home / _COMPLETE).exists():
            _make(home, python, requirements)
    return python


def client_environment() -> dict[str, str]:
    """Return the variables a client's script runs with: ours, without what leads to our packages.

    Proxies are taken out too, because the gate is on this machine.
    """
    dropped = ("PYTHON", "VIRTUAL_ENV", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        kept.pop(name, None)
        kept.pop(name.upper(), None)
    return kept | {"NO_PROXY": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}


def _make(home: Path, python: Path, requirements: tuple[str, ...]) -> None:
    # What an interrupted run has left is taken away: it may lack anything.
    shutil.rmtree(home, ignore_errors=True)
    # Some distributions ship Python without ensurepip; the pip that runs the tests serves all.
    _run([sys.executable, "-m", "venv", "--without-pip", str(home)])
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", *requirements])
    (home / _COMPLETE).touch()


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
