"""The operators' commands against a running admin port: what they print and how they exit."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import keys, kill, status
from gateway.lanes import LANE_NAMES, ORDERS
from rules.events import ClearBan, SetState
from rules.values import (
    NS_PER_MINUTE,
    NS_PER_MS,
    SCOPE_ACCOUNT,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
)
from tests.gateway.edges.admin_world import TOKEN, AdminWorld, serving
from tests.gateway.turns_world import World


class Terminal:
    """Runs commands against one gate."""

    def __init__(self, world: AdminWorld, token_file: Path) -> None:
        self.world = world
        self.token_file = token_file
        self.app = typer.Typer()
        for module in (kill, status, keys):
            module.register(self.app)

    def run(self, *words: str, typed: str | None = None, port: int = 0) -> Result:
        """Run one command; `typed` is what is entered at a question."""
        words = (
            *words,
            *("--admin", f"http://127.0.0.1:{port or self.world.port}"),
            *("--token-file", str(self.token_file)),
        )
        return CliRunner().invoke(
            self.app, words, input=typed, env={"COLUMNS": "250", "LOGNAME": "tester"}
        )


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A gate whose admin port runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started: asyncio.Queue[AdminWorld] = asyncio.Queue()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(tmp_path) as world:
            started.put_nowait(world)
            await stop.wait()

    served = asyncio.run_coroutine_threadsafe(serve(), loop)
    world = asyncio.run_coroutine_threadsafe(started.get(), loop).result(10)
    token_file = tmp_path / "admin.token"
    token_file.write_text(TOKEN + "\n")
    yield Terminal(world, token_file)
    loop.call_soon_threadsafe(stop.set)
    served.result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_kill_asks_first(terminal: Terminal) -> None:
    """The question says what will happen; no other answer than yes stops anything."""
    words = ("kill", "account", "alice-1", "--reason", "drill")
    declined = terminal.run(*words, typed="n\n")
    assert declined.exit_code == 1
    assert "3 open orders of 1 accounts" in declined.output
    assert "all of them are cancelled" in declined.output
    assert "ordergate release account alice-1" in declined.output
    assert terminal.world.core.book.states == {}
    agreed = terminal.run(*words, typed="y\n")
    assert agreed.exit_code == 0
    assert "account alice-1 is KILLED" in agreed.output
    assert "cancelling 3 open orders, 1 still to go" in agreed.output
    event = terminal.world.core.events[-1]
    assert isinstance(event, SetState)
    assert (event.state, event.note, event.actor) == (STATE_KILLED, "drill", "tester")


def test_kill_and_release_without_questions(terminal: Terminal) -> None:
    """With --yes nothing is asked, and --json prints the answer alone."""
    killed = terminal.run(
        *("kill", "account", "bob", "--reason", "r", "--state", "cancel_only"),
        *("--actor", "me", "--yes", "--json"),
    )
    assert killed.exit_code == 0
    assert json.loads(killed.stdout)["state"] == "CANCEL_ONLY"
    assert terminal.world.core.book.states == {(SCOPE_ACCOUNT, 3): STATE_CANCEL_ONLY}
    released = terminal.run("release", "account", "bob", "--reason", "over", "--actor", "me")
    assert released.exit_code == 0
    assert "account bob is ACTIVE" in released.output
    assert terminal.world.core.events[-1] == SetState(SCOPE_ACCOUNT, 3, STATE_ACTIVE, "over", "me")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("kill", "galaxy", "x", "--reason", "r"), "`galaxy` can't be stopped"),
        (("kill", "account", "--reason", "r"), "which account?"),
        (("kill", "venue", "x", "--reason", "r"), "the venue has no id"),
        (("kill", "venue", "--reason", "r", "--state", "ACTIVE"), "`ACTIVE` is not a stop state"),
        (("kill", "account", "nobody", "--reason", "r", "--yes"), "no account `nobody`"),
        (("release", "venue", "--reason", "r"), "ACTIVE already"),
        (("limits", "--key", "x"), "there is no key `x`"),
        (("keys", "create", "bob", "--kind", "morse"), "`morse` is not a kind of key"),
        (("keys", "create", "bob", "--permission", "fly"), "`fly` is not a permission"),
        (("keys", "create", "bob", "--kind", "rsa"), "--public-key"),
        (("keys", "create", "bob", "--expires", "soon"), "`soon` is not a day"),
        (("keys", "create", "bob", "--expires", "2000-01-01"), "has passed"),
        (("keys", "create", "bob", "--expires", "9999-12-30"), "is out of range"),
        (("keys", "revoke", "x"), "there is no key `x`"),
    ],
)
def test_bad_input_is_exit_code_2(terminal: Terminal, words: tuple[str, ...], said: str) -> None:
    """What is at fault is named on standard error, and nothing is done."""
    before = terminal.world.core.seq
    result = terminal.run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert terminal.world.core.seq == before


def test_no_gate_no_token_wrong_token(terminal: Terminal) -> None:
    """Each has its own message, which says what to do."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = terminal.run("status", port=unused.getsockname()[1])
    assert result.exit_code == 2
    assert "is the gate running there?" in result.stderr
    terminal.token_file.write_text("another token")
    result = terminal.run("status")
    assert result.exit_code == 2
    assert "the admin token is missing or wrong" in result.stderr
    terminal.token_file.unlink()
    result = terminal.run("status")
    assert result.exit_code == 2
    assert "admin.token" in result.stderr


def test_status(terminal: Terminal) -> None:
    """Tables for people, JSON for programs; exit code 1 when orders can't be taken."""
    terminal.run("kill", "symbol", "BTCUSDT", "--reason", "news", "--yes")
    shown = terminal.run("status")
    assert shown.exit_code == 0
    for text in ("test", "connected, epoch 0", "BTCUSDT", "KILLED", "news", "TRADING"):
        assert text in shown.stdout
    status_json = json.loads(terminal.run("status", "--json").stdout)
    assert status_json["stops"][0]["subject"] == "BTCUSDT"
    terminal.world.core.journal.fault = "no space left"
    lost = terminal.run("status")
    assert lost.exit_code == 1
    assert "no space left" in lost.stdout


def test_status_tells_who_waits_and_what_was_shed(terminal: Terminal) -> None:
    """Only where there is something to tell; for programs always."""
    assert "shed" not in terminal.run("status").stdout
    turns = terminal.world.turns
    turns.shed["orders"] = 33
    listed = World().source("a", "oo")
    listed.since_ns = time.perf_counter_ns() - 1_500 * NS_PER_MS
    turns._lanes[ORDERS].append(listed)
    shown = " ".join(terminal.run("status").stdout.split())
    assert "│ orders │ 2 │ 1" in shown
    assert "│ 33 │" in shown
    lanes = json.loads(terminal.run("status", "--json").stdout)["lanes"]
    assert [lane["name"] for lane in lanes] == list(LANE_NAMES)
    assert (lanes[ORDERS]["requests"], lanes[ORDERS]["shed"]) == (2, 33)
    assert lanes[ORDERS]["oldest_ns"] >= 1_500 * NS_PER_MS
    assert not lanes[ORDERS]["shedding"]


def test_texts_of_others_are_shown_as_they_are(terminal: Terminal) -> None:
    """What looks like markup is neither obeyed nor a fault; control characters can't act."""
    reason = "[/red] [bold]hi\x1b[2J"
    stopped = terminal.run(
        *("kill", "symbol", "BTCUSDT", "--reason", reason, "--actor", "[/x]", "--yes")
    )
    assert stopped.exit_code == 0
    shown = terminal.run("status")
    assert shown.exit_code == 0
    assert "[/red] [bold]hi\\x1b[2J" in shown.stdout
    assert "[/x]" in shown.stdout
    assert terminal.run("keys", "create", "[/evil]").exit_code == 0
    listed = terminal.run("keys", "list")
    assert listed.exit_code == 0
    assert "[/evil]" in listed.stdout


def test_limits(terminal: Terminal) -> None:
    """One line for each limit, with how long until it resets."""
    core = terminal.world.core
    core.submit(ClearBan(1, core.time_ns + NS_PER_MINUTE, "me"))
    shown = terminal.run("limits", "--address", "127.0.0.1")
    assert shown.exit_code == 0
    for text in ("ban_ladder", "127.0.0.1", "1m"):
        assert text in shown.stdout
    lines = json.loads(terminal.run("limits", "--json").stdout)["limits"]
    assert [line["label"] for line in lines] == ["ban"]


def test_keys(terminal: Terminal) -> None:
    """A key is made, its secret shown once, listed without it, and revoked."""
    made = terminal.run("keys", "create", "carol", "--permission", "trade", "--json")
    assert made.exit_code == 0
    key = json.loads(made.stdout)
    shown = terminal.run("keys", "create", "carol", "--expires", "2099-12-31")
    assert "secret" in shown.stdout
    listed = terminal.run("keys", "list")
    assert key["key"]["name"] in listed.stdout
    assert key["secret"] not in listed.stdout
    assert "2100-01-01 00:00Z" in listed.stdout
    owner = "an-owner-with-a-name-of-no-small-length"
    terminal.run("keys", "create", f"account-of-{owner}", "--owner", owner)
    assert key["key"]["name"] in terminal.run("keys", "list").stdout, "broken in two"
    revoked = terminal.run("keys", "revoke", key["key"]["name"])
    assert revoked.exit_code == 0
    assert "revoked" in terminal.run("keys", "list").stdout
