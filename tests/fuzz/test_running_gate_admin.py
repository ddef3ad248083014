"""Operators' mistakes on a running gate: whatever is asked of the admin port, the gate stays up."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from tests.fuzz.gate_process import GateProcess, running_gate

NOTE: Final = {"reason": "a test", "actor": "tester"}
RIGHT: Final[dict[str, dict[str, Any]]] = {
    "kill": {"scope": "symbol", "subject": "ETHBTC", "state": "CANCEL_ONLY", **NOTE},
    "release": {"scope": "symbol", "subject": "ETHBTC", **NOTE},
    "symbol-state": {"symbol": "ETHBTC", "state": "HALT", **NOTE},
    "ban": {"address": "127.0.0.9", "seconds": 5, "actor": "tester"},
    "keys": {
        "account": "new",
        "owner": "new",
        "tier": "",
        "kind": "hmac",
        "public_key": "",
        "permissions": ["read"],
        "addresses": ["1.2.3.4"],
        "expires_ns": 0,
    },
    "keys/revoke": {"name": "x" * 64},
    "clock/advance": {"seconds": 1},
}
VALUES: Final = (
    *(None, True, 0, 1, -1, 1.5, 1e300, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**20, -(10**20)),
    *("", "a" * 300, "\x00", "\ud800", "🙂", "%s{}", "127.0.0.1", "::1", "999.1.1.1", "1.2.3.4/8"),
    *([], ["x"], [[]], {}),
)
BODIES: Final = (
    *(b"", b"{", b"\xff", b"[]", b"null", b"0", b"{}{}", b"[" * 60_000, b'{"a":' * 10_000),
    *(b"x" * 70_000, b"9" * 20, b'{"seconds":' + b"9" * 5_000 + b"}"),
)


def post(gate: GateProcess, path: str, body: bytes) -> int:
    """Ask as an operator; return the status, and hold an error to being explained."""
    token = (gate.data / "admin.token").read_text().strip()
    request = urllib.request.Request(
        f"{gate.ready['admin']}/admin/v1/{path}",
        data=body,
        headers={"Authorization": f"Bearer {token}"},
    )
    try:
        answer = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        told = json.loads(answer.read())
    assert answer.status < 400 or told["error"], (path, body[:100])
    return int(answer.status)


def test_nothing_asked_of_the_admin_port_harms_the_gate(tmp_path: Path) -> None:
    """Extreme and wrong values in every field are refused by name, or carried out and recorded."""
    with running_gate(tmp_path, "--manual-clock") as gate:
        for path, message in RIGHT.items():
            for name in message:
                for value in VALUES:
                    status = post(gate, path, json.dumps({**message, name: value}).encode())
                    assert status < 500, (path, name, value)
            for body in BODIES:
                assert 400 <= post(gate, path, body) < 500, (path, body[:100])
        gate.assert_unharmed()
