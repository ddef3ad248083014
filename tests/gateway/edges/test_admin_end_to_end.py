"""The operators' commands against a whole gate: each as its own process, as an operator runs it."""

import hashlib
import hmac
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fuzz.gate_process import GateProcess, ordergate, running_gate


class Operator:
    """Runs commands against one gate, and asks its REST port as a client."""

    def __init__(self, gate: GateProcess) -> None:
        self.gate = gate
        self.alice, self.bob = ((key["name"], key["secret"]) for key in gate.ready["keys"])

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one command."""
        token = str(self.gate.data / "admin.token")
        return ordergate(*words, "--admin", self.gate.ready["admin"], "--token-file", token)

    def json(self, *words: str) -> Any:
        """Run one command that must do well; return what it reports."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(
        self, key: tuple[str, str], method: str, path: str, **parameters: Any
    ) -> tuple[int, Any]:
        """Send one signed request; return status and body."""
        query = urlencode(parameters | {"timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(key[1].encode(), query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"{self.gate.ready['rest']}{path}?{query}&signature={signature}",
            method=method,
            headers={"X-MBX-APIKEY": key[0]},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def place(self, key: tuple[str, str]) -> tuple[int, Any]:
        """Place an order that rests."""
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        return self.ask(
            key, "POST", "/api/v3/order", **terms, quantity="0.001", price=self.low_price()
        )

    def low_price(self) -> str:
        """Return a price well below the market that the filters let pass."""
        url = f"{self.gate.ready['rest']}/api/v3/ticker/price?symbol=BTCUSDT"
        with urllib.request.urlopen(url, timeout=10) as answer:
            last = float(json.loads(answer.read())["price"])
        return f"{int(last * 0.9)}"

    def open_orders(self, key: tuple[str, str]) -> list[Any]:
        """Return a client's open orders."""
        status, orders = self.ask(key, "GET", "/api/v3/openOrders", symbol="BTCUSDT")
        assert status == 200
        assert isinstance(orders, list)
        return orders


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateProcess]:
    """A running demo for all tests here."""
    directory: Path = tmp_path_factory.mktemp("gate")
    with running_gate(directory) as running:
        yield running
        assert running.stop() == 0
        running.assert_record_holds()


@pytest.fixture
def operator(gate: GateProcess) -> Operator:
    """The demo with no stop in force and without orders of the demo keys."""
    found = Operator(gate)
    for stop in gate.admin("/admin/v1/status")["stops"]:
        gate.admin(
            "/admin/v1/release",
            {key: stop[key] for key in ("scope", "subject")} | {"reason": "-", "actor": "test"},
        )
    for key in (found.alice, found.bob):
        found.ask(key, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    return found


def test_kill_and_release(operator: Operator) -> None:
    """A killed account has no orders left and gets none in; others trade on; release ends it."""
    for _ in range(3):
        assert operator.place(operator.alice)[0] == 200
    assert operator.place(operator.bob)[0] == 200
    killed = operator.json("kill", "account", "demo-alice", "--reason", "a test", "--yes")
    assert (killed["open_orders"], killed["remaining"], killed["state"]) == (3, 0, "KILLED")
    assert operator.open_orders(operator.alice) == []
    assert len(operator.open_orders(operator.bob)) == 1
    status, body = operator.place(operator.alice)
    assert status != 200
    assert body["code"] < 0
    assert operator.place(operator.bob)[0] == 200
    stops = operator.json("status")["stops"]
    assert [(stop["scope"], stop["subject"], stop["reason"]) for stop in stops] == [
        ("account", "demo-alice", "a test")
    ]
    operator.json("release", "account", "demo-alice", "--reason", "over")
    assert operator.json("status")["stops"] == []
    assert operator.place(operator.alice)[0] == 200
    again = operator.run("release", "account", "demo-alice", "--reason", "again")
    assert again.returncode == 2
    assert "ACTIVE already" in again.stderr


def test_cancel_only_leaves_cancels(operator: Operator) -> None:
    """In CANCEL_ONLY orders rest on, new ones are refused, and the client may cancel."""
    assert operator.place(operator.bob)[0] == 200
    before = len(operator.open_orders(operator.bob))
    words = ("account", "demo-bob", "--state", "CANCEL_ONLY", "--reason", "a test", "--yes")
    assert operator.json("kill", *words)["remaining"] == before
    assert operator.place(operator.bob)[0] != 200
    status, cancelled = operator.ask(operator.bob, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert (status, len(cancelled)) == (200, before)
    operator.json("release", "account", "demo-bob", "--reason", "over")


def test_status_and_limits(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status shows a gate that records and trades; limits show what a client has used."""
    operator.place(operator.bob)
    status = operator.json("status")
    assert status["recorded_seq"] > 0
    assert (status["journal_fault"], status["engine_connected"]) == ("", True)
    assert {line["symbol"] for line in status["symbols"]} >= {"BTCUSDT"}
    limits = operator.json("limits", "--key", operator.bob[0])["limits"]
    counts = [line for line in limits if line["rule"] == "order_count"]
    assert counts
    assert max(line["used"] for line in counts) > 0
    assert all(line["used"] <= line["limit"] for line in counts)
    monkeypatch.setenv("COLUMNS", "200")
    shown = operator.run("limits", "--account", "demo-bob")
    assert shown.returncode == 0
    assert "order_count" in shown.stdout
    unknown = operator.run("limits", "--account", "nobody")
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr


def test_a_key_from_creation_to_revocation(operator: Operator) -> None:
    """A created key trades at once, is listed without its secret, and is dead when revoked."""
    words = ("demo-bob", "--permission", "read", "--permission", "trade")
    made = operator.json("keys", "create", *words)
    key = (made["key"]["name"], made["secret"])
    assert operator.place(key)[0] == 200
    listed = operator.run("keys", "list", "--json")
    assert key[1] not in listed.stdout
    (line,) = (one for one in json.loads(listed.stdout)["keys"] if one["name"] == key[0])
    assert (line["account"], line["enabled"]) == ("demo-bob", True)
    revoked = operator.json("keys", "revoke", key[0])
    assert not revoked["enabled"]
    status, body = operator.place(key)
    assert status in (400, 401)
    assert body["code"] in (-2014, -2015)
    assert operator.open_orders(operator.bob)


def test_without_the_token(operator: Operator, tmp_path: Path) -> None:
    """A wrong token opens nothing and changes nothing."""
    wrong = tmp_path / "token"
    wrong.write_text("not the token\n")
    words = ("kill", "venue", "--reason", "mischief", "--yes")
    done = ordergate(*words, "--admin", operator.gate.ready["admin"], "--token-file", str(wrong))
    assert done.returncode == 2
    assert operator.json("status")["stops"] == []
