"""A real gate with its demo market, and what a client's script saw of it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.clients.environments import REPOSITORY, client_environment, python_of

SCRIPTS = Path(__file__).parent / "scripts"
PAGE = REPOSITORY / "docs" / "clients.md"
PAGE_URL = "http://127.0.0.1:8080"
"""The gate's address in the page's examples."""
SCRIPT_SECONDS = 90.0
STOP_SECONDS = 30.0
GATE = (sys.executable, "-m", "gateway")

Document = dict[str, dict[str, Any]]
"""What a script saw: the steps by name, each with its result or error."""


Key = dict[str, str]
"""An API key as the scripts take it: name, and secret or private key."""


class Demo(NamedTuple):
    """A running demo as its ready line describes it."""

    rest: str
    admin: str
    keys: list[dict[str, str]]
    data: Path

    def operate(self, *command: str) -> str:
        """Run one of the operator's commands; returns what it prints."""
        operator = ("--admin", self.admin, "--token-file", str(self.data / "admin.token"))
        done = subprocess.run(
            (*GATE, *command, *operator),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def key(self, account: str, kind: str, private: RSAPrivateKey | Ed25519PrivateKey) -> Key:
        """Create a key of a public key; what signs for it is the private key as PEM text."""
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        path = self.data.parent / f"{kind}.pem"
        path.write_bytes(public)
        made = self.operate(
            *("keys", "create", account, "--kind", kind, "--public-key", str(path), "--json"),
            *("--permission", "read", "--permission", "trade"),
        )
        text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {"name": json.loads(made)["key"]["name"], "secret": text}


@contextmanager
def running_demo(directory: Path) -> Iterator[Demo]:
    """Run `ordergate demo` on free ports until the block ends, then end it as Ctrl-C does."""
    data, errors = directory / "data", directory / "errors.txt"
    command = (*GATE, "demo", "--port", "0", "--json", "--data", str(data))
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the demo did not start: {errors.read_text()}"
            ready = json.loads(line)
            yield Demo(ready["rest"], ready["admin"], ready["keys"], data)
            assert process.poll() is None, f"the demo ended: {errors.read_text()}"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)
    assert process.returncode == 0, errors.read_text()


def what_it_saw(client: str, script: str, directory: Path) -> Document:
    """Run a client's script against a demo of its own; returns the document it prints.

    The first demo key is free to trade, and its account gets an RSA and an Ed25519 key besides. The
    account of the second is killed by the operator. What the client's example in docs/clients.md
    printed is the step `documented`.
    """
    with running_demo(directory) as demo:
        documented = _run(client, "-c", example(client).replace(PAGE_URL, demo.rest))
        free, stopped = demo.keys[:2]
        demo.operate("kill", "account", stopped["account"], "--reason", "a test", "--yes")
        rsa = generate_private_key(65_537, 2_048)
        arguments = {
            "base_url": demo.rest,
            "free": {"name": free["name"], "secret": free["secret"]},
            "stopped": {"name": stopped["name"], "secret": stopped["secret"]},
            "rsa": demo.key(free["account"], "rsa", rsa),
            "ed25519": demo.key(free["account"], "ed25519", Ed25519PrivateKey.generate()),
        }
        document: Document = json.loads(_run(client, str(SCRIPTS / script), json.dumps(arguments)))
    return document | {"documented": {"result": documented}}


def example(client: str) -> str:
    """Return a client's example in docs/clients.md."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    found: str = next(block for block in blocks if block.startswith(f"# {client}\n"))
    assert PAGE_URL in found
    return found


def _run(client: str, *arguments: str) -> str:
    done = subprocess.run(
        (str(python_of(client)), *arguments),
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS,
        check=False,
        env=client_environment(),
    )
    assert done.returncode == 0, f"{arguments[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr}"
    return done.stdout


def worked(saw: Document, *steps: str) -> None:
    """Assert that steps were answered, not refused."""
    for step in steps:
        assert "error" not in saw[step], f"{step}: {saw[step]['error']}"


def refused(saw: Document, step: str, **expected: Any) -> dict[str, Any]:
    """Assert how a step was refused; returns all that the client showed of it."""
    assert "error" in saw[step], f"{step} was not refused: {saw[step].get('result')}"
    error: dict[str, Any] = saw[step]["error"]
    assert {name: error.get(name) for name in expected} == expected, step
    return error
