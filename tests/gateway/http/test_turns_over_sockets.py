"""Whose request is next, over real sockets: many connections, one gate."""

import gc
import os
from contextlib import AsyncExitStack

import pytest

from gateway.edges.http.edge import HttpEdge
from gateway.turns import PATIENT, Bounds, Turns
from tests.gateway.edges.rest_world import EchoDialect, RecordingCore, run
from tests.gateway.http.hostile import NEXT
from tests.gateway.http.http_world import Client, client, serving, until
from tests.gateway.http.test_connections import SIGNED, Signed
from tests.gateway.turns_world import MS

LONG_TURN = PATIENT._replace(turn_ns=10**10)


def asking(path: str) -> bytes:
    """Return a request for a path under /api."""
    return NEXT.replace(b"/api/v3/time", b"/api/" + path.encode())


def asked(dialect: EchoDialect) -> list[str]:
    """Return what was read below /api, in the order of the decisions."""
    found = (f"{request.path}?{request.query.decode()}" for request in dialect.seen)
    return [path.removeprefix("/api/").removesuffix("?") for path in found]


def send_now(one: Client, sent: bytes) -> None:
    """Send bytes at once, without a turn of the loop."""
    os.write(one.writer.get_extra_info("socket").fileno(), sent)


def test_one_round_of_the_loop_is_decided_by_urgency() -> None:
    """Requests that lie ready at many connections: cancels, orders, queries, market data."""

    async def scenario() -> None:
        async with serving(RecordingCore(), turns=Turns(LONG_TURN)) as (dialect, port, edge):
            assert isinstance(edge, HttpEdge)
            wanted = ["market", "query", "order", "cancel"] * 8
            async with AsyncExitStack() as held:
                clients = [await held.enter_async_context(client(port)) for _ in wanted]
                await until(lambda: edge.connections == len(wanted))
                for one, path in zip(clients, wanted, strict=True):
                    send_now(one, asking(path))
                # The loop has not gone round since, so nothing has been read.
                assert dialect.seen == []
                answers = [await one.answer() for one in clients]
                assert all(answer and answer.status == 200 for answer in answers)
            assert asked(dialect) == sorted(
                wanted, key=["cancel", "order", "query", "market"].index
            )

    run(scenario())


def test_pipelined_requests_are_decided_and_answered_in_order() -> None:
    """Nothing overtakes what was sent before it over the same connection, a cancel neither."""

    async def scenario() -> None:
        async with (
            serving(RecordingCore()) as (dialect, port, edge),
            client(port) as one,
            client(port) as other,
        ):
            assert isinstance(edge, HttpEdge)
            await until(lambda: edge.connections == 2)
            sent = [f"{path}?{at}" for at, path in enumerate(["order", "market", "cancel"] * 10)]
            send_now(one, b"".join(map(asking, sent)))
            send_now(other, asking("cancel") * 20)
            seqs = [answer.seq for _ in sent if (answer := await one.answer())]
            assert seqs == sorted(seqs)
            assert [path for path in asked(dialect) if "?" in path] == sent
            for _ in range(20):
                assert await other.answer()
            # All of them came before the first market data, which waited in the other connection.
            until_market = asked(dialect)[: asked(dialect).index("market?1")]
            assert until_market.count("cancel") == 16

    run(scenario())


def test_what_waited_too_long_is_refused_in_its_place() -> None:
    """Orders are shed, cancels are not; answers stay in order, and each has its own decision."""

    async def scenario() -> None:
        late_ns = [0]

        def stopwatch_ns() -> int:
            late_ns[0] += 1_000 * MS
            return 10**18 + late_ns[0]

        core = RecordingCore()
        turns = Turns(Bounds(lasting_ns=0), stopwatch_ns)
        async with serving(core, turns=turns) as (_, port, _edge), client(port) as one:
            one.send(b"".join(map(asking, ["order", "cancel", "query", "market", "cancel"])))
            answers = [answer for _ in range(5) if (answer := await one.answer())]
            assert [answer.status for answer in answers] == [503, 200, 503, 503, 200]
            seqs = [answer.seq for answer in answers]
            assert seqs == sorted(set(seqs))
            assert len(core.requests) == 5
            shed = {name: count for name, count in turns.shed.items() if count}
            assert shed == {"orders": 1, "queries": 1, "market_data": 1}

    run(scenario())


@pytest.mark.parametrize("trusted", [False, True])
def test_strangers_do_not_come_before_clients(trusted: bool) -> None:
    """Their cancels come behind all else; whose address is known, or connection proved, is none."""

    async def scenario() -> None:
        core = RecordingCore()
        serve = serving(core, Signed, turns=Turns(LONG_TURN), trusts=lambda _: trusted)
        async with (
            serve as (dialect, port, edge),
            client(port) as known,
            client(port) as stranger,
            client(port) as querying,
        ):
            assert isinstance(edge, HttpEdge)
            for one in (known, querying):
                one.send(SIGNED)
                assert await one.answer()
            dialect.seen.clear()
            send_now(stranger, asking("cancel?stranger") + asking("order?stranger"))
            send_now(querying, asking("market"))
            send_now(known, asking("order"))
            for one in (known, querying, stranger, stranger):
                assert await one.answer()
            theirs = ["cancel?stranger", "order?stranger"]
            among = ["cancel?stranger", "order", "order?stranger", "market"]
            assert asked(dialect) == (among if trusted else ["order", "market", *theirs])

    run(scenario())


def test_a_banned_client_is_a_stranger_again() -> None:
    """Who is refused unverified loses the place that a proof gave."""

    async def scenario() -> None:
        core = RecordingCore()
        serve = serving(core, Signed, turns=Turns(LONG_TURN), trusts=lambda _: False)
        async with serve as (dialect, port, edge), client(port) as banned, client(port) as other:
            assert isinstance(edge, HttpEdge)
            banned.send(SIGNED)
            assert await banned.answer()
            banned.send(SIGNED.replace(b"signed", b"banned"))
            assert await banned.answer()
            await until(lambda: edge.connections == 2)
            dialect.seen.clear()
            send_now(banned, asking("cancel"))
            send_now(other, asking("market"))
            assert await banned.answer()
            assert await other.answer()
            assert asked(dialect) == ["market", "cancel"]

    run(scenario())


def test_nothing_of_a_turn_is_left_as_garbage() -> None:
    """A full collection waits for a quiet moment, so overload may not leave cycles either."""

    async def scenario() -> None:
        now_ns = [10**18]
        turns = Turns(Bounds(lasting_ns=0), lambda: now_ns[0])
        async with serving(RecordingCore(), turns=turns) as (_, port, _edge), client(port) as one:
            one.send(asking("order") * 3)
            answers = [await one.answer() for _ in range(3)]
            gc.collect()
            gc.disable()
            try:
                one.send(asking("order") * 200)
                answers = [await one.answer() for _ in range(200)]
                assert {answer.status for answer in answers if answer} == {503}
                assert gc.collect() < 20
            finally:
                gc.enable()

    run(scenario())
