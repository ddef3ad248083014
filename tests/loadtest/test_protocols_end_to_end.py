"""Runs over every protocol against a running gate and a running engine, with their audit."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from typer.testing import CliRunner

from loadtest import results
from loadtest.commands import load
from loadtest.recorder import ALL
from loadtest.samples import ACCEPTED, ERROR
from tests.loadtest.gates import engine, quiet

SHORT = ("--duration", "1s", "--warmup", "200ms", "--late-bound", "p99<5s")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A gate whose record holds runs alone."""
    with quiet(tmp_path_factory.mktemp("gate")) as ready:
        yield ready


def run(output: Path, *arguments: str) -> results.Results:
    """Make a run that must be good, and return what it measured."""
    done = CliRunner().invoke(load, ["run", *arguments, *SHORT, "--output", str(output), "--json"])
    assert done.exit_code == 0, done.output
    return results.load(output)


@pytest.mark.parametrize(
    ("options", "protocol", "batch"),
    [
        (("--grpc", "unary", "--connections", "2"), "gRPC unary", 1),
        (("--batch", "7", "--connections", "2", "--processes", "2"), "gRPC session", 7),
    ],
    ids=["unary", "batches from two processes"],
)
def test_grpc(
    gate: dict[str, Any], tmp_path: Path, options: tuple[str, ...], protocol: str, batch: int
) -> None:
    """All requests are answered; each answer is in the record once, and replay is identical."""
    measured = run(
        tmp_path / "run.json",
        *("--target", f"grpc://{gate['grpc']}", "--control", gate["rest"], *options),
        *("--keys", str(gate["keys_file"]), "--rate", "210", "--data", gate["data"]),
    )
    (made,) = measured.runs
    assert (measured.load.protocol, measured.load.batch) == (protocol, batch)
    assert made.latency[ALL].count == made.offered > 0
    assert made.offered % batch == 0
    assert made.latency[ERROR].count == 0
    assert made.latency[ACCEPTED].count > 0.9 * made.offered
    assert measured.audit is not None
    assert measured.audit.faults == ()
    assert measured.audit.not_audited == ()
    assert measured.audit.answers > made.offered


def test_keys_of_all_kinds_trade(gate: dict[str, Any], tmp_path: Path) -> None:
    """A gate accepts what Ed25519 and RSA keys sign, over REST and gRPC."""
    token = Path(gate["data"], "admin.token").read_text().strip()
    keys = []
    for kind, private in (
        ("ed25519", Ed25519PrivateKey.generate()),
        ("rsa", generate_private_key(65_537, 2_048)),
    ):
        public = private.public_key()  # type: ignore[attr-defined]
        asked = {
            "account": "load-1",
            "kind": kind,
            "permissions": ["read", "trade"],
            "public_key": public.public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ).decode(),
        }
        request = urllib.request.Request(
            f"{gate['admin']}/admin/v1/keys",
            json.dumps(asked).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            name = json.load(answer)["key"]["name"]
        path = tmp_path / f"{kind}.pem"
        path.write_bytes(
            private.private_bytes(  # type: ignore[attr-defined]
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        )
        keys.append({"name": name, "private_key_file": path.name})
    keys_file = tmp_path / "keys.json"
    keys_file.write_text(json.dumps({"keys": keys}))
    grpc = (f"grpc://{gate['grpc']}", "--control", gate["rest"])
    for target in ((gate["rest"],), (*grpc, "--grpc", "unary"), grpc):
        measured = run(
            tmp_path / "run.json",
            *("--target", *target, "--keys", str(keys_file), "--rate", "60"),
            *("--connections", "2"),
        )
        (made,) = measured.runs
        assert made.latency[ACCEPTED].count > 0.9 * made.offered, made.outcomes


def test_straight_into_an_engine(gate: dict[str, Any], tmp_path: Path) -> None:
    """Commands are matched; each run begins with an empty book; the market may be a gate's."""
    with engine() as address:
        measured = run(
            tmp_path / "run.json",
            *("--target", f"engine://{address}", "--keys", str(gate["keys_file"])),
            *("--rate", "400", "--batch", "4", "--repeat", "2"),
        )
        other = run(
            tmp_path / "other.json",
            *("--target", f"engine://{address}", "--keys", str(gate["keys_file"])),
            *("--rate", "100", "--control", gate["rest"], "--symbol", "ETHUSDT"),
        )
    assert measured.load.protocol == "engine"
    assert measured.load.connections == 1
    assert measured.load.symbols == ("BTCUSDT",)
    assert other.load.symbols == ("ETHUSDT",)
    for made in (*measured.runs, *other.runs):
        assert made.latency[ERROR].count == 0
        assert made.latency[ACCEPTED].count > 0.9 * made.offered, made.outcomes
        assert made.reconnects == 0
    assert measured.audit is not None
    assert measured.audit.faults == ()
    assert measured.audit.answers == 0
