"""Market data and venue facts: what is asked, what it weighs by, what is answered."""

from typing import Any

import pytest

from gateway.dialects.binance.market_answers import percent_text
from gateway.engine.port import PublicTrade
from gateway.views.intervals import INTERVALS
from rules.endpoints import Endpoint
from rules.events import Query, RefusedRequest
from rules.values import (
    AUTH_NOT_REQUIRED,
    E8,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    SYMBOL_AUCTION,
    SYMBOL_HALT,
)
from tests.gateway.dialects.binance.stand_in import NOW_NS, Venue, body

NOW_MS = NOW_NS // 1_000_000


def get(venue: Venue, path: str, query: str = "", status: int = 200) -> Any:
    """Return the decoded answer to a public request."""
    answer = venue.decide(venue.parse("GET", path, query))
    assert answer.status == status
    return body(answer)


def trade(
    venue: Venue, trade_id: int, price: int, at_ns: int, buyer_is_maker: bool = False
) -> None:
    """Let one unit be traded."""
    venue.views.market.on_trade(
        PublicTrade(1, trade_id, price * E8, E8, price * E8, at_ns, buyer_is_maker)
    )


def test_ping_and_time(venue: Venue) -> None:
    """Ping answers nothing; time is the clock timestamps are compared with."""
    assert get(venue, "/api/v3/ping") == {}
    venue.core.time_ns += 3_600 * NS_PER_SECOND
    assert get(venue, "/api/v3/time") == {"serverTime": NOW_MS}


def test_public_requests_need_nobody(venue: Venue) -> None:
    """What needs no signature is not authenticated, whatever was sent along."""
    event = venue.parse(
        "GET", "/api/v3/ping", "signature=00&timestamp=x", headers={"x-mbx-apikey": "bad"}
    ).event
    assert isinstance(event, Query)
    assert (event.auth, event.key, event.timestamp_ns) == (AUTH_NOT_REQUIRED, 0, 0)


def test_unknown_agents_are_not_interned(venue: Venue) -> None:
    """Who has not proved to be anybody gets no number for a new client program."""
    assert venue.parse("GET", "/api/v3/ping", headers={"user-agent": "new"}).event.agent == 0
    known = venue.core.directory.agent("known")
    assert venue.parse("GET", "/api/v3/ping", headers={"user-agent": "known"}).event.agent == known


def test_exchange_info(venue: Venue) -> None:
    """Limits and filters are the rulebook's, properties the symbol's."""
    answer = get(venue, "/api/v3/exchangeInfo")
    assert answer["timezone"] == "UTC"
    assert answer["rateLimits"] == [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 6000,
        },
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
        {
            "rateLimitType": "RAW_REQUESTS",
            "interval": "MINUTE",
            "intervalNum": 5,
            "limit": 300_000,
        },
    ]
    symbol = answer["symbols"][0]
    assert (symbol["symbol"], symbol["status"]) == ("BTCUSDT", "TRADING")
    assert (symbol["baseAsset"], symbol["quoteAsset"]) == ("BTC", "USDT")
    assert symbol["orderTypes"] == ["LIMIT", "MARKET", "LIMIT_MAKER"]
    assert symbol["permissionSets"] == [["SPOT"]]
    assert symbol["filters"] == [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["BTCUSDT", "ETHUSDT"]),
        ("symbol=ETHUSDT", ["ETHUSDT"]),
        ('symbols=["ETHUSDT","BTCUSDT"]', ["ETHUSDT", "BTCUSDT"]),
        ("permissions=SPOT", ["BTCUSDT", "ETHUSDT"]),
        ('permissions=["MARGIN","SPOT"]', ["BTCUSDT", "ETHUSDT"]),
        ("permissions=MARGIN", []),
        ("symbolStatus=TRADING", ["ETHUSDT"]),
        ("symbolStatus=HALT", ["BTCUSDT"]),
    ],
)
def test_exchange_info_selection(venue: Venue, query: str, names: list[str]) -> None:
    """Symbols are selected by name, permission or state."""
    venue.core.book.symbols[1].state = SYMBOL_HALT
    answer = get(venue, "/api/v3/exchangeInfo", query)
    assert [symbol["symbol"] for symbol in answer["symbols"]] == names


def test_exchange_info_states_and_sets(venue: Venue) -> None:
    """An auction has Binance's name, and permission sets can be left out."""
    venue.core.book.symbols[1].state = SYMBOL_AUCTION
    answer = get(venue, "/api/v3/exchangeInfo", "showPermissionSets=false")
    assert answer["symbols"][0]["status"] == "AUCTION_MATCH"
    assert answer["symbols"][0]["permissionSets"] == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("exchangeInfo", "symbol=NOPE", -1121),
        ("exchangeInfo", 'symbols=["NOPE"]', -1121),
        ("exchangeInfo", 'symbol=BTCUSDT&symbols=["ETHUSDT"]', -1128),
        ("exchangeInfo", "symbol=BTCUSDT&symbolStatus=TRADING", -1128),
        ("exchangeInfo", 'symbols=["BTCUSDT","BTCUSDT"]', -1151),
        ("exchangeInfo", "symbols=BTCUSDT", -1100),
        ("depth", "", -1102),
        ("depth", "symbol=", -1105),
        ("depth", "symbol=btcusdt", -1100),
        ("depth", "symbol=BTCUSDT&limit=0", -1130),
        ("depth", "symbol=BTCUSDT&limit=-1", -1100),
        ("depth", "symbol=BTCUSDT&symbol=BTCUSDT", -1101),
        ("trades", "symbol=BTCUSDT&limit=1001", -1130),
        ("aggTrades", "symbol=BTCUSDT&fromId=1&startTime=1", -1128),
        ("klines", "symbol=BTCUSDT", -1102),
        ("klines", "symbol=BTCUSDT&interval=2m", -1120),
        ("klines", "symbol=BTCUSDT&interval=1m&timeZone=8", -1020),
        ("klines", "symbol=BTCUSDT&interval=1m&startTime=1.0", -1100),
        ("ticker/24hr", "type=TINY", -1130),
        ("ticker/price", "symbol=NOPE", -1121),
        ("avgPrice", "", -1102),
    ],
)
def test_malformed_market_requests(venue: Venue, path: str, query: str, code: int) -> None:
    """What is wrong is told as Binance tells it."""
    parsed = venue.parse("GET", f"/api/v3/{path}", query)
    assert isinstance(parsed.event, RefusedRequest)
    assert body(venue.decide(parsed))["code"] == code


@pytest.mark.parametrize(
    ("path", "query", "endpoint", "size", "symbol"),
    [
        ("depth", "symbol=BTCUSDT", Endpoint.DEPTH, 100, 1),
        ("depth", "symbol=BTCUSDT&limit=5000", Endpoint.DEPTH, 5_000, 1),
        ("depth", "symbol=BTCUSDT&limit=99999", Endpoint.DEPTH, 5_000, 1),
        ("ticker/price", "", Endpoint.TICKER_PRICE, 0, 0),
        ("ticker/price", "symbol=ETHUSDT", Endpoint.TICKER_PRICE, 1, 2),
        ("ticker/bookTicker", 'symbols=["BTCUSDT","ETHUSDT"]', Endpoint.TICKER_BOOK, 2, 0),
        ("ticker/24hr", "", Endpoint.TICKER_24HR, 0, 0),
        ("historicalTrades", "symbol=BTCUSDT", Endpoint.HISTORICAL_TRADES, 0, 1),
        ("uiKlines", "symbol=BTCUSDT&interval=1m", Endpoint.UI_KLINES, 0, 1),
    ],
)
def test_what_weight_depends_on(
    venue: Venue, path: str, query: str, endpoint: Endpoint, size: int, symbol: int
) -> None:
    """The event says what was asked for and how much of it."""
    event = venue.parse("GET", f"/api/v3/{path}", query).event
    assert isinstance(event, Query)
    assert (event.endpoint, event.size, event.symbol) == (endpoint, size, symbol)


def test_depth(venue: Venue) -> None:
    """Levels are pairs of decimal texts, best first, as many as were asked for."""
    assert get(venue, "/api/v3/depth", "symbol=BTCUSDT&limit=1") == {
        "lastUpdateId": 7,
        "bids": [["100.00000000", "1.00000000"]],
        "asks": [["101.00000000", "3.00000000"]],
    }


def test_trades(venue: Venue) -> None:
    """Trades come oldest first, cut to the limit; aggregates join what was one sweep."""
    trade(venue, 1, 100, NOW_NS, buyer_is_maker=True)
    trade(venue, 2, 101, NOW_NS)
    trade(venue, 3, 101, NOW_NS)
    found = get(venue, "/api/v3/trades", "symbol=BTCUSDT&limit=2")
    assert [one["id"] for one in found] == [2, 3]
    assert found[0] == {
        "id": 2,
        "price": "101.00000000",
        "qty": "1.00000000",
        "quoteQty": "101.00000000",
        "time": NOW_MS,
        "isBuyerMaker": False,
        "isBestMatch": True,
    }
    historical = get(venue, "/api/v3/historicalTrades", "symbol=BTCUSDT&fromId=1&limit=1")
    assert [one["id"] for one in historical] == [1]
    aggregates = get(venue, "/api/v3/aggTrades", "symbol=BTCUSDT")
    assert [(one["a"], one["q"], one["f"], one["l"], one["m"]) for one in aggregates] == [
        (1, "1.00000000", 1, 1, True),
        (2, "2.00000000", 2, 3, False),
    ]


def test_prices(venue: Venue) -> None:
    """Last price, best prices and average price, of one symbol or of all."""
    trade(venue, 1, 105, NOW_NS)
    assert get(venue, "/api/v3/ticker/price", "symbol=BTCUSDT") == {
        "symbol": "BTCUSDT",
        "price": "105.00000000",
    }
    both = get(venue, "/api/v3/ticker/price")
    assert [one["price"] for one in both] == ["105.00000000", "10.00000000"]
    one = get(venue, "/api/v3/ticker/price", 'symbols=["BTCUSDT"]')
    assert isinstance(one, list)
    assert get(venue, "/api/v3/ticker/bookTicker", "symbol=BTCUSDT") == {
        "symbol": "BTCUSDT",
        "bidPrice": "100.00000000",
        "bidQty": "1.00000000",
        "askPrice": "101.00000000",
        "askQty": "3.00000000",
    }
    average = get(venue, "/api/v3/avgPrice", "symbol=BTCUSDT")
    assert (average["mins"], average["price"]) == (5, "100.00000000")


def test_statistics_of_a_day(venue: Venue) -> None:
    """The 24-hour ticker has Binance's fields; the short form leaves some out."""
    trade(venue, 1, 100, NOW_NS - 2 * NS_PER_MINUTE)
    trade(venue, 2, 90, NOW_NS - NS_PER_MINUTE)
    full = get(venue, "/api/v3/ticker/24hr", "symbol=BTCUSDT")
    assert full["priceChange"] == "-10.00000000"
    assert full["priceChangePercent"] == "-10.000"
    assert (full["openPrice"], full["lastPrice"]) == ("100.00000000", "90.00000000")
    assert (full["firstId"], full["lastId"], full["count"]) == (1, 2, 2)
    mini = get(venue, "/api/v3/ticker/24hr", "symbol=BTCUSDT&type=MINI")
    assert set(full) - set(mini) == {
        "priceChange",
        "priceChangePercent",
        "weightedAvgPrice",
        "prevClosePrice",
        "lastQty",
        "bidPrice",
        "bidQty",
        "askPrice",
        "askQty",
    }
    assert len(get(venue, "/api/v3/ticker/24hr")) == 2


@pytest.mark.parametrize(
    ("percent_e8", "text"),
    [
        (0, "0.000"),
        (E8, "1.000"),
        (123_456_789, "1.234"),
        (-123_456_789, "-1.234"),
        (-1, "0.000"),
        (100_000, "0.001"),
        (99_999, "0.000"),
    ],
)
def test_percentages(percent_e8: int, text: str) -> None:
    """Three places, cut off towards zero, and no minus sign before nothing."""
    assert percent_text(percent_e8) == text


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles(venue: Venue, interval: str) -> None:
    """Each of the sixteen intervals answers with candles of twelve fields."""
    trade(venue, 1, 100, NOW_NS - NS_PER_SECOND)
    trade(venue, 2, 103, NOW_NS)
    found = get(venue, "/api/v3/klines", f"symbol=BTCUSDT&interval={interval}&limit=9999")
    last = found[-1]
    assert len(last) == 12
    assert last[0] <= NOW_MS <= last[6]
    assert (last[2], last[4]) == ("103.00000000", "103.00000000")
    assert found == get(venue, "/api/v3/uiKlines", f"symbol=BTCUSDT&interval={interval}&limit=1000")


def test_candles_from_the_epoch(venue: Venue) -> None:
    """A start time of 0 is a time to start from: the oldest candles, not the newest."""
    trade(venue, 1, 100, NOW_NS - 600 * NS_PER_SECOND)
    trade(venue, 2, 103, NOW_NS)
    first = get(venue, "/api/v3/klines", "symbol=BTCUSDT&interval=1m&startTime=0&limit=1")
    assert first[0][4] == "100.00000000"


def test_start_up_stubs(venue: Venue) -> None:
    """What clients ask for at their start, and is not here, is answered with nothing in it."""
    for path in ("capital/config/getall", "margin/allPairs", "margin/isolated/allPairs"):
        assert get(venue, f"/sapi/v1/{path}") == []
    for path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
        assert get(venue, path)["symbols"] == []
