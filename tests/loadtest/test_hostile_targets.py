"""Targets that answer what no venue should: told or counted, never obeyed and never a crash."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from loadtest.control import RestControl
from loadtest.market import Market, read_markets
from loadtest.protocols import websocket_control
from loadtest.protocols.websocket_control import WebSocketControl
from loadtest.samples import ACCEPTED, ERROR, LABEL_CHARACTERS, LABELS_MAX, REFUSED, Samples
from loadtest.signing import Key
from loadtest.units import LoadTestError
from tests.loadtest.test_rest import OK, labels, sent_to

KEY = Key("key0", "secret")
Handler = Callable[[web.Request], Any]


@asynccontextmanager
async def target(handler: Handler) -> AsyncIterator[str]:
    """Serve every path by one handler; yields the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def told(pattern: str) -> Iterator[None]:
    """Expect an error of the load tester."""
    with pytest.raises(LoadTestError, match=pattern):
        yield


# --- Answers to requests --------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 40, len(OK % 666) - 1])
def test_the_beginning_of_a_surplus_answer_belongs_to_nobody(cut: int) -> None:
    """Its rest comes when the next request waits, and is not taken for the answer to that."""
    surplus = OK % 666

    async def twice(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(OK % 1 + surplus[:cut])
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.write(surplus[cut:])
        else:
            writer.write(OK % (10 * number))

    samples, _, senders = sent_to(twice, [0, 50, 200], connections=1)
    assert samples.decision_ids[0] == "d1"
    assert "d666" not in samples.decision_ids
    assert senders.reconnects == 1


def test_answers_that_all_differ_are_counted_together() -> None:
    """What there are thousands of has one name; the counts stay whole."""
    count = LABELS_MAX + 70_000
    samples = Samples(array("q", range(count)))
    for index in range(count):
        samples.end(index, index, REFUSED, f"400 {index}")
    names = [samples.label_names[number] for number in samples.labels]
    assert len(samples.label_names) == LABELS_MAX + 1
    assert names[LABELS_MAX - 1] == (REFUSED, f"400 {LABELS_MAX - 1}")
    assert set(names[LABELS_MAX:]) == {(REFUSED, "other answers")}
    samples.end(0, 0, ERROR, "500")
    samples.end(0, 0, ACCEPTED, "2" * 10_000)
    assert (ERROR, "other answers") in samples.label_names
    assert samples.counts == {ACCEPTED: 1, REFUSED: count, ERROR: 1}


def test_a_rule_of_any_length_is_a_short_name() -> None:
    """What a target calls its rule is cut before it is kept, and can't write on a screen."""

    async def refuse(number: int, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 400 Bad Request\r\nX-OrderGate-Rule: %s\r\nContent-Length: 0\r\n\r\n"
        writer.write(head % (b"\x9b2J" + b"r" * 10_000))

    samples, _, _ = sent_to(refuse, [0, 10], connections=1)
    first, second = labels(samples)
    assert first == second
    outcome, label = first
    assert outcome == REFUSED
    assert label.startswith("400 ?2Jrrr")
    assert len(label) == LABEL_CHARACTERS


# --- Beside the load ------------------------------------------------------------------------------


def test_redirects_are_not_followed() -> None:
    """They may lead to a host that nobody has stated to be his own, with a signed request."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text='{"serverTime":1}')

    async def scenario() -> None:
        async with target(elsewhere) as foreign:

            async def redirect(request: web.Request) -> web.Response:
                raise web.HTTPTemporaryRedirect(foreign + request.path_qs)

            async with target(redirect) as url:
                async with RestControl(url) as control:
                    with told("answers 307"):
                        await control.server_time_ms()
                async with WebSocketControl(url.replace("http", "ws", 1)) as socket:
                    with told("no answer"):
                        await socket.server_time_ms()

    asyncio.run(scenario())
    assert asked == []


@pytest.mark.parametrize("time", ["1e300", "-1", "253402300800000", "null", '"x"', "[1]", "{}"])
def test_a_clock_that_is_none_is_told(time: str) -> None:
    """A time before 1970 or after 9999 is no time."""

    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=f'{{"serverTime":{time}}}')

    async def scenario() -> None:
        async with target(serve) as url, RestControl(url) as control:
            with told("tells no time"):
                await control.server_time_ms()

    asyncio.run(scenario())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-5", "1e400", "1e16", "sNaN", "x", None])
@pytest.mark.parametrize("field", ["bidPrice", "tickSize", "minQty", "minNotional"])
def test_numbers_that_are_none_are_told(field: str, number: str | None) -> None:
    """A market is read whole or not at all."""
    ticker = {"symbol": "ABC", "bidPrice": "9", "askPrice": "10"}
    filters: list[dict[str, Any]] = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.002"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ]
    for each in (ticker, *filters):
        if field in each:
            each[field] = number
    info = {"symbols": [{"symbol": "ABC", "status": "TRADING", "filters": filters}]}
    with told("market can't be read|no symbol of the target"):
        read_markets(info, [ticker], [])


def test_a_grid_too_fine_for_its_numbers_is_told() -> None:
    """An amount of more digits than are computed with is no amount."""
    fine, large = Decimal("1e-12"), Decimal("1e14")
    market = Market("ABC", fine, fine, fine, large, fine, fine)
    with told("ABC"):
        market.quantity_text(large, fine)


def test_a_target_that_talks_of_other_things_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages without end, none of them an answer, are no answer."""
    monkeypatch.setattr(websocket_control, "_SECONDS", 0.2)

    async def chatter(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        message = await socket.receive()
        while not socket.closed and message.type is not WSMsgType.CLOSE:
            await socket.send_str('{"id":null,"result":{}}')
            await asyncio.sleep(0.01)
        return socket

    async def scenario() -> None:
        async with target(chatter) as url:
            control = WebSocketControl(url.replace("http", "ws", 1))
            with told("no answer"):
                async with control:
                    await control.server_time_ms()

    asyncio.run(asyncio.wait_for(scenario(), 20))
