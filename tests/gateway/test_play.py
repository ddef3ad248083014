"""Playing a recording as live orders: rescaled, signed, in order, counted."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.course import chart
from gateway.flows.plan import Plan, plan
from gateway.flows.reader import Flow, read_flow
from gateway.flows.rescale import Scale, TargetFilters, target_filters
from gateway.flows.venue import Listing
from gateway.play import (
    Credentials,
    Player,
    PlayError,
    is_loopback,
    parse_symbol_map,
)
from rules.units import decimal_e8
from rules.values import BUY, E8, SELL

HEADER = "ts_ns,event,order_id,side,price,qty,flag,symbol\n"
SHIPPED = Path(__file__).parents[1] / "data" / "independentreserve_2022-04-03.csv.gz"
KEYS = Credentials("demo", "not-a-secret")
SYMBOLS: list[dict[str, Any]] = [
    {
        "symbol": "BTCUSDT",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.5",
                "maxPrice": "1000000",
                "tickSize": "0.5",
            },
            {"filterType": "LOT_SIZE", "minQty": "0.01", "maxQty": "9000", "stepSize": "0.01"},
            {"filterType": "NOTIONAL", "minNotional": "5"},
        ],
    }
]


def flow_of(tmp_path: Path, lines: str) -> Flow:
    path = tmp_path / "flow.csv"
    path.write_text(HEADER + lines)
    return read_flow(path)


class Venue:
    """A small Binance-style API that takes every order and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.refuse: Callable[[dict[str, str]], tuple[int, dict[str, Any], str] | None] = lambda _: (
            None
        )
        self.delay_s = 0.0
        self.banned = False

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Yield the base URL."""
        app = web.Application()
        app.router.add_get("/api/v3/time", self._time)
        app.router.add_get("/api/v3/exchangeInfo", self._info)
        app.router.add_get("/api/v3/ticker/price", self._prices)
        app.router.add_route("*", "/api/v3/order", self._order)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _time(self, _: web.Request) -> web.Response:
        if self.banned:
            return web.json_response({"code": -1003, "msg": "IP banned"}, status=418)
        return web.json_response({"serverTime": 1_700_000_000_000})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"symbols": SYMBOLS})

    async def _prices(self, _: web.Request) -> web.Response:
        return web.json_response([{"symbol": "BTCUSDT", "price": "1000"}])

    async def _order(self, request: web.Request) -> web.Response:
        query, _, signature = request.query_string.rpartition("&signature=")
        expected = hmac.new(KEYS.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        assert signature == expected
        assert request.headers["X-MBX-APIKEY"] == KEYS.key
        await asyncio.sleep(self.delay_s)
        parameters = dict(request.query)
        self.seen.append((request.method, parameters))
        refusal = self.refuse(parameters)
        if refusal is None:
            return web.json_response({"status": "NEW"})
        status, body, rule = refusal
        return web.json_response(body, status=status, headers={"X-OrderGate-Rule": rule})


async def run(venue: Venue, flow: Flow, speed: float = 0) -> tuple[Player, Plan]:
    course = chart(flow)
    async with venue.serving() as target, Player(target, KEYS) as player:
        scales = await player.scales(flow, course, {}, 0)
        planned = plan(flow, course, scales, player.tag())
        await player.play(planned, speed)
        return player, planned


LINES = """\
1000000000,cancel,old,buy,,,,ABC
1000000000,new,a,buy,10,2,,ABC
1000000000,new,b,sell,10.1,4,,ABC
1000000000,amend,a,buy,9.9,3,,ABC
1000000000,fill,b,sell,10.1,1,M,ABC
1000000000,cancel,a,buy,9.9,3,,ABC
"""


def test_a_flow_becomes_orders(tmp_path: Path) -> None:
    """Submissions, an amend as cancel and new order, an IOC taker, a cancel; in order, signed."""
    venue = Venue()
    venue.delay_s = 0.01
    player, planned = asyncio.run(run(venue, flow_of(tmp_path, LINES)))
    assert planned.skipped == 1
    assert player.answers.sent == 6
    assert player.answers.accepted == {"place": 3, "take": 1, "cancel": 2}
    assert player.answers.failed == {}
    of_a = [
        (method, seen.get("newClientOrderId") or seen["origClientOrderId"], seen.get("price"))
        for method, seen in venue.seen
        if any(value.endswith(("-3", "-5")) for value in seen.values())
    ]
    tag = planned.messages[0].parameters["newClientOrderId"].split("-")[0]
    assert of_a == [
        ("POST", f"{tag}-3", "990"),
        ("DELETE", f"{tag}-3", None),
        ("POST", f"{tag}-5", "980"),
        ("DELETE", f"{tag}-5", None),
    ]
    taker = next(seen for _, seen in venue.seen if seen.get("timeInForce") == "IOC")
    assert (taker["side"], taker["price"]) == ("BUY", "1000")
    assert all(seen["timestamp"].startswith("17000000") for _, seen in venue.seen)


def test_refusals_are_counted_by_code_and_rule(tmp_path: Path) -> None:
    """By kind of request; an answer that is no JSON by its status."""
    venue = Venue()

    def refuse(seen: dict[str, str]) -> tuple[int, dict[str, Any], str] | None:
        if "origClientOrderId" in seen:
            return 400, {"code": -2011, "msg": "no"}, "MINIMUM_RESTING_TIME"
        return (503, {}, "") if seen["side"] == "SELL" else None

    venue.refuse = refuse
    player, _ = asyncio.run(run(venue, flow_of(tmp_path, LINES)))
    assert player.answers.accepted == {"place": 2, "take": 1, "cancel": 0}
    assert player.answers.refused["cancel"] == {"-2011 MINIMUM_RESTING_TIME": 2}
    assert player.answers.refused["place"] == {"HTTP 503": 1}


def test_a_target_that_refuses_to_begin_is_quoted(tmp_path: Path) -> None:
    """What the target says when it does not even tell its time reaches whoever started the run."""
    venue = Venue()
    venue.banned = True
    with pytest.raises(PlayError, match=r"/api/v3/time answers 418: .*IP banned"):
        asyncio.run(run(venue, flow_of(tmp_path, LINES)))


class Redirecting(Venue):
    """Sends those who place orders to another place."""

    def __init__(self, elsewhere: str) -> None:
        super().__init__()
        self.elsewhere = elsewhere

    async def _order(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(self.elsewhere + request.path_qs)


def test_orders_do_not_follow_a_redirect(tmp_path: Path) -> None:
    """It may lead to a host that was not named, with a signed order."""
    other = Venue()

    async def redirected() -> Player:
        async with other.serving() as elsewhere:
            player, _ = await run(Redirecting(elsewhere), flow_of(tmp_path, LINES))
        return player

    player = asyncio.run(redirected())
    assert other.seen == []
    assert player.answers.refused["place"] == {"HTTP 307": 3}


def test_open_loop_keeps_recorded_times(tmp_path: Path) -> None:
    """At speed 10 one recorded second is a tenth, and a slow answer holds up no other order."""
    lines = (
        "1000000000,new,a,buy,10,2,,ABC\n"
        "1000000000,new,b,buy,10,2,,ABC\n"
        "2000000000,new,c,buy,10,2,,ABC\n"
    )
    venue = Venue()
    venue.delay_s = 0.5

    async def timed() -> float:
        started = asyncio.get_running_loop().time()
        await run(venue, flow_of(tmp_path, lines), 10)
        return asyncio.get_running_loop().time() - started

    assert 0.6 <= asyncio.run(timed()) < 1.5


def test_the_shipped_recording_plays_whole() -> None:
    """Every symbol finds a target, every price and quantity keeps the target's filters."""
    venue = Venue()
    player, planned = asyncio.run(run(venue, read_flow(SHIPPED)))
    assert planned.skipped == 62
    assert player.answers.accepted == {"place": 831, "take": 0, "cancel": 770}
    orders = [seen for method, seen in venue.seen if method == "POST"]
    assert len({seen["newClientOrderId"] for seen in orders}) == 831
    for seen in orders:
        price, quantity = decimal_e8(seen["price"]), decimal_e8(seen["quantity"])
        assert price % (E8 // 2) == 0
        assert quantity % (E8 // 100) == 0
        assert price * quantity >= 5 * E8 * E8


def test_a_target_without_an_answer_is_counted() -> None:
    """A venue that goes away ends nothing: the requests are counted as failed."""

    async def lost() -> Player:
        venue = Venue()
        flow = read_flow(SHIPPED)
        course = chart(flow)
        async with venue.serving() as target:
            player = Player(target, KEYS)
            async with player:
                scales = await player.scales(flow, course, {}, 0)
        gone = plan(flow, course, scales, "p")
        async with player:
            await player.play(gone._replace(messages=gone.messages[:5]), 0)
        return player

    player = asyncio.run(lost())
    assert player.answers.sent == 5
    assert player.answers.failed == {"ClientConnectorError": 5}


@pytest.mark.parametrize(
    ("target", "loopback"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("https://api.example.com", False),
        ("http://10.0.0.1:8080", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://user@example.com", False),
    ],
)
def test_only_this_machine_is_loopback(target: str, loopback: bool) -> None:
    """A name is loopback only if it is `localhost`; an address if it is 127/8 or ::1."""
    assert is_loopback(target) == loopback


@pytest.mark.parametrize("target", ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://"])
def test_a_target_that_is_no_url(target: str) -> None:
    """The value is named with an example of what would be accepted."""
    with pytest.raises(PlayError, match="is not a URL such as"):
        is_loopback(target)


def test_symbol_map() -> None:
    """Pairs separated by commas; anything else is named."""
    assert parse_symbol_map("A=B,C-D=EF") == {"A": "B", "C-D": "EF"}
    for text in ("A", "A=", "=B"):
        with pytest.raises(PlayError, match=f"symbol map `{text}`"):
            parse_symbol_map(text)


def test_a_mapping_to_what_is_not_there(tmp_path: Path) -> None:
    """Both sides of a pair must exist."""
    flow = flow_of(tmp_path, LINES)

    async def scales(pairs: dict[str, str]) -> None:
        async with Venue().serving() as target, Player(target, KEYS) as player:
            await player.scales(flow, chart(flow), pairs, 0)

    with pytest.raises(PlayError, match="`XYZ` is not in the flow; ABC are"):
        asyncio.run(scales({"XYZ": "BTCUSDT"}))
    with pytest.raises(PlayError, match="the target has no `DOGE`; it has BTCUSDT"):
        asyncio.run(scales({"ABC": "DOGE"}))


@given(
    price_e8=st.integers(1, 10**15),
    quantity_e8=st.integers(1, 10**15),
    side=st.sampled_from([BUY, SELL]),
    level_e8=st.integers(E8, 10**13),
    opening_e8=st.integers(1, 10**13),
)
def test_scaled_orders_keep_every_filter(
    price_e8: int, quantity_e8: int, side: int, level_e8: int, opening_e8: int
) -> None:
    """Whatever was recorded, the order is one the target's filters accept."""
    filters = target_filters(SYMBOLS[0])
    listing = Listing("ABC")
    listing.first_trade_e8 = opening_e8
    scale = Scale(filters, level_e8, listing, 10 * E8, 0)
    scaled_e8 = scale.price_e8(side, price_e8)
    size_e8 = scale.quantity_e8(scaled_e8, quantity_e8)
    assert filters.min_price_e8 <= scaled_e8 <= filters.max_price_e8
    assert scaled_e8 % filters.tick_e8 == 0
    assert filters.min_quantity_e8 <= size_e8 <= filters.max_quantity_e8
    assert size_e8 % filters.step_e8 == 0
    assert size_e8 * scaled_e8 >= filters.min_notional_e8 * E8 or size_e8 == 9_000 * E8


def test_filters_of_an_entry_without_any() -> None:
    """Absent filters limit nothing."""
    assert target_filters({"symbol": "X", "filters": []}) == TargetFilters("X", 0, 0, 0, 0, 0, 0, 0)
