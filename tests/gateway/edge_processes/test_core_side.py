"""What the core makes of an edge's word: its own state decides, whatever the edge believed."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.app import Gate
from gateway.auth.authenticator import Authenticator
from gateway.config import ListenConfig, OverloadConfig
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.edges.processes.core_desk import EdgeAuthenticator, EdgeDesk
from gateway.edges.processes.core_side import EdgeLink
from gateway.edges.processes.link import Link
from gateway.edges.processes.messages import (
    NOT_VERIFIED,
    Answered,
    Asked,
    Decided,
    Failed,
    Forwarded,
    FromCore,
    Message,
)
from gateway.trust import trust_of
from gateway.turns import Turns, bounds_of
from rules.decisions import ACCEPTED, REFUSED
from rules.endpoints import Endpoint
from rules.events import Cancel, ClearBan, DefineKey, Place, RefusedRequest
from rules.reasons import Reason
from rules.values import AUTH_BAD_SIGNATURE, AUTH_OK
from tests.gateway.edge_processes.edge_world import now_ms, signed
from tests.gateway.edges.rest_world import run
from tests.gateway.gate_world import NOTHING_SHED, config, name_of, running

HOST = "127.0.0.77"


class Edge:
    """An edge played by the test, linked to a gate's core."""

    def __init__(self, gate: Gate, overload: OverloadConfig) -> None:
        self.gate = gate
        core = gate.core
        self.told: list[Any] = []
        self.turns = Turns(bounds_of(overload))
        authenticator = EdgeAuthenticator(
            Authenticator(gate.keystore.find, core.directory), core.directory
        )
        dialect = BinanceDialect(
            core, gate.views, authenticator, gate.decision_ids, gate.decisions.find
        )
        orders, meter = gate.views.orders, gate.telemetry
        desk = EdgeDesk(core, dialect, authenticator, orders, meter, self.turns, trust_of(core))
        self.at_core = EdgeLink(desk, lambda: None, lambda: None)
        self.link = Link(FromCore, self.told.extend, lambda: None)
        self.key = core.directory.keys[name_of("alice")].key
        self.ip = core.directory.address(HOST)

    def head(self, endpoint: Endpoint, auth: int = AUTH_OK) -> tuple[int, ...]:
        """Return the beginning of an event."""
        now_ns = self.gate.clock.receive_ns()
        return (endpoint, self.ip, self.key, auth, now_ns, now_ns, 60_000_000_000, 0, 1, 0, 0)

    def place(self, name: str, auth: int = AUTH_OK) -> Place:
        """Return an order that rests."""
        terms = (1, 1, 1, 1, 50_000 * 10**8, 100_000, 0)
        return Place(*self.head(Endpoint.ORDER_PLACE, auth), *terms, name)  # type: ignore[arg-type]

    def cancel(self, name: str) -> Cancel:
        """Return a cancel."""
        return Cancel(*self.head(Endpoint.ORDER_CANCEL), 1, 0, name)  # type: ignore[arg-type]

    async def say(self, *messages: Message) -> list[Any]:
        """Say something in one frame; return what is answered to it."""
        self.told.clear()
        for message in messages:
            self.link.send(message)
        async with asyncio.timeout(20):
            while len(self.told) < len(messages):
                await asyncio.sleep(0.001)
        return self.told

    def asked(self, number: int, event: Any, connection: int = 1, waited_ms: int = 0) -> Asked:
        """Return a request that was read in the edge so long ago."""
        since_ns = time.perf_counter_ns() - waited_ms * 1_000_000
        return Asked(number, connection, since_ns, event)


@asynccontextmanager
async def edge(
    data: Path,
    overload: OverloadConfig = NOTHING_SHED,
) -> AsyncIterator[Edge]:
    """Run a gate and link an edge to it."""
    listen = ListenConfig(rest_port=-1, grpc_port=-1, admin_port=-1)
    async with running(config(data, listen=listen)) as gate:
        played = Edge(gate, overload)
        one, other = socket.socketpair()
        await played.at_core.link.open(one)
        await played.link.open(other)
        try:
            yield played
        finally:
            played.link.abort()
            await asyncio.sleep(0.01)


def reason(told: Decided) -> Reason | None:
    """Return what a request was refused for."""
    return told.decision.breaches[0].reason if told.decision.verdict == REFUSED else None


def test_a_key_that_was_revoked_meanwhile(tmp_path: Path) -> None:
    """The signature was right when the edge looked; the key has ended when the core decides."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            (told,) = await played.say(played.asked(1, played.place("a")))
            assert told.decision.verdict == ACCEPTED
            core = played.gate.core
            key = core.directory.keys_by_number[played.key]
            ended = (key.addresses, key.expires_ns, False)
            core.submit(DefineKey(key.key, key.name, key.account, key.permissions, *ended))
            (told,) = await played.say(played.asked(2, played.place("b")))
            assert reason(told) is Reason.KEY_UNKNOWN

    run(scenario())


def test_an_address_that_was_banned_meanwhile(tmp_path: Path) -> None:
    """It is refused as banned, and its signature counts as not looked at."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            core = played.gate.core
            core.submit(ClearBan(played.ip, core.now_ns() + 10**12, "a test"))
            for auth in (AUTH_OK, AUTH_BAD_SIGNATURE):
                (told,) = await played.say(played.asked(1, played.place("a", auth)))
                assert reason(told) is Reason.ADDRESS_BANNED
            core.submit(ClearBan(played.ip, 0, "a test"))
            (told,) = await played.say(played.asked(1, played.place("a")))
            assert told.decision.verdict == ACCEPTED
            (told,) = await played.say(played.asked(1, played.place("a", AUTH_BAD_SIGNATURE)))
            assert reason(told) is Reason.SIGNATURE_INVALID

    run(scenario())


def forwarded(played: Edge, number: int, auth: int, key: int) -> Forwarded:
    """Return a query of alice's, signed by bob, and what the edge says of that."""
    query = signed({}, "bob", now_ms(played.gate)).encode()
    headers = {"x-mbx-apikey": name_of("alice")}
    received_ns = played.gate.clock.receive_ns()
    reading = ("GET", "/api/v3/account", query, headers, b"", HOST, received_ns, False)
    return Forwarded(number, 1, time.perf_counter_ns(), *reading, auth, key, Endpoint.ACCOUNT)


def test_an_edges_word_is_for_one_key(tmp_path: Path) -> None:
    """What it verified with another key of that name, or not at all, is verified here."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            cases = {
                (AUTH_OK, played.key): 200,
                (AUTH_OK, played.key + 1): 400,
                (AUTH_BAD_SIGNATURE, played.key): 400,
                (NOT_VERIFIED, 0): 400,
            }
            for (auth, key), expected in cases.items():
                (told,) = await played.say(forwarded(played, 1, auth, key))
                assert isinstance(told, Answered)
                assert told.status == expected, (auth, key)
                assert told.ip == played.ip

    run(scenario())


def test_cancels_of_others_come_first(tmp_path: Path) -> None:
    """In the order of each connection, cancels of other connections before orders."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            await played.say(*(played.asked(n, played.place(f"p{n}")) for n in range(2)))
            told = await played.say(
                played.asked(10, played.place("a"), connection=1),
                played.asked(11, played.cancel("a"), connection=1),
                played.asked(20, played.place("b"), connection=2),
                played.asked(30, played.cancel("p0"), connection=3),
                played.asked(31, played.cancel("p1"), connection=3),
            )
            by_seq = [one.number for one in sorted(told, key=lambda one: one.seq)]
            assert by_seq[:2] == [30, 31]
            assert by_seq.index(10) < by_seq.index(11)
            assert {one.decision.verdict for one in told} == {ACCEPTED}

    run(scenario())


def test_what_waited_too_long_is_shed(tmp_path: Path) -> None:
    """Counted from its arrival at the edge; cancels are decided however long they waited."""
    overload = OverloadConfig(lasting="0s")

    async def scenario() -> None:
        async with edge(tmp_path / "data", overload) as played:
            (told,) = await played.say(played.asked(1, played.place("a")))
            assert (told.decision.verdict, told.waited_ns, told.most_ns) == (ACCEPTED, 0, 0)
            (told,) = await played.say(played.asked(2, played.place("b"), waited_ms=5_000))
            assert reason(told) is Reason.OVERLOADED
            assert told.waited_ns >= 5_000 * 10**6
            assert told.most_ns == 100 * 10**6
            (told,) = await played.say(played.asked(3, played.cancel("a"), waited_ms=5_000))
            assert told.decision.verdict == ACCEPTED
            record = played.gate.decisions.find(played.gate.core.seq - 2)
            assert record is not None
            assert played.turns.shed["orders"] == 1

    run(scenario())


def test_an_edge_that_dies_with_requests_on_their_way(tmp_path: Path) -> None:
    """What had reached the core is decided and recorded; nobody is told."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            for number in range(100):
                played.link.send(played.asked(number, played.place(f"n{number}"), number % 7))
            played.link.close()
            async with asyncio.timeout(20):
                while len(played.gate.core.book.orders) < 100:
                    await asyncio.sleep(0.001)
            assert not played.at_core.link.open_now

    run(scenario())


def test_a_gate_that_has_stopped_deciding(tmp_path: Path) -> None:
    """An edge is told that its request met a fault, and answers so."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            core = played.gate.core
            core.stopped = "a test"
            told = await played.say(
                played.asked(1, played.place("a")), forwarded(played, 2, NOT_VERIFIED, 0)
            )
            core.stopped = ""
            assert told == [Failed(1), Failed(2)]

    run(scenario())


def test_an_edge_that_says_nonsense(tmp_path: Path) -> None:
    """Its socket is closed, so it ends and is started anew; the gate goes on."""

    async def scenario() -> None:
        async with edge(tmp_path / "data") as played:
            played.link._transport.write(b"\x04\0\0\0nonsense")  # type: ignore[union-attr]
            async with asyncio.timeout(20):
                while played.link.open_now:
                    await asyncio.sleep(0.001)
            assert played.gate.core.stopped == ""

    run(scenario())


def test_what_is_shed_is_recorded_as_such(tmp_path: Path) -> None:
    """The record says how long it waited, and that its signature was not looked at."""

    async def scenario() -> None:
        async with edge(tmp_path / "data", OverloadConfig(lasting="0s")) as played:
            (told,) = await played.say(played.asked(2, played.place("b"), waited_ms=5_000))
            record = played.gate.decisions.find(told.seq)
            assert record is not None
            event = record.event
            assert isinstance(event, RefusedRequest)
            assert (event.reason, event.expected) == (Reason.OVERLOADED, "at most 100 ms")
            assert event.detail.startswith("waited 50")

    run(scenario())
