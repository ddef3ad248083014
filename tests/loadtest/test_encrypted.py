"""Targets over TLS: their certificates are verified, of the market as of the load."""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.gateway.edges.grpc_certificates import Certificates
from tests.loadtest.test_unanswered import server_of
from tests.loadtest.venue import Venue

ROOT: Final = Path(__file__).parents[2]


def run_against(
    url: str, directory: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Make a short run."""
    keys = directory / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "k", "secret": "s"}]}))
    return subprocess.run(
        [
            *(sys.executable, "-m", "loadtest", "run", "--target", url, "--keys", str(keys)),
            *("--rate", "20", "--duration", "500ms", "--warmup", "0s", "--connections", "3"),
            *("--arrivals", "constant", "--late-bound", "p99<5s", "--assert", "accepted>=100%"),
        ],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_rest_is_encrypted(tmp_path: Path) -> None:
    """With https the target's certificate is verified; an unknown authority is told and refused."""
    authority = Certificates()
    key, certificate = authority._issue("127.0.0.1")
    both, trusted = tmp_path / "server.pem", tmp_path / "authority.pem"
    both.write_bytes(key + certificate)
    trusted.write_bytes(authority._pem(authority._certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with Venue(tls=context) as venue:
        refused = run_against(venue.url, tmp_path)
        assert refused.returncode == 2
        assert "its certificate is not trusted: unable to get local issuer" in refused.stderr
        assert not venue.orders
        done = run_against(venue.url, tmp_path, SSL_CERT_FILE=str(trusted))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(venue.orders) == 10


def test_a_target_without_tls_is_told(tmp_path: Path) -> None:
    """With the scheme of one that has it."""
    with server_of(200, b"") as address:
        refused = run_against(f"https://{address}", tmp_path)
    assert refused.returncode == 2
    assert "it does not speak TLS as it should" in refused.stderr
