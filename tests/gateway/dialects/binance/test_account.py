"""Queries of an account, and the gate's own routes."""

from typing import Any

import pytest

from rules.endpoints import Endpoint
from rules.events import CommandResult, Fill, Query
from rules.reasons import Reason
from rules.values import E8, FILLED, NEW, NS_PER_DAY, NS_PER_MS
from tests.gateway.dialects.binance.stand_in import NOW_NS, OTHER_KEY, Venue, body, header, refusal

NOW_MS = NOW_NS // NS_PER_MS
BUY: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
BID: dict[str, Any] = {**BUY, "type": "LIMIT", "timeInForce": "GTC", "price": "100"}


def place(venue: Venue, order_id: int, **changes: Any) -> Any:
    """Place an order that rests, and return the answer."""
    parsed = venue.signed("POST", "/api/v3/order", **{**BID, **changes})

    def result(seq: int) -> CommandResult:
        return CommandResult(seq, order_id, True, None, NEW, venue.core.time_ns)

    return body(venue.decide(parsed, result=result, order_id=order_id))


def buy(venue: Venue, order_id: int, trade_id: int) -> None:
    """Buy one unit at once."""
    fill = Fill(trade_id, 100 * E8, E8, 100 * E8, 100_000, 1, False)

    def result(seq: int) -> CommandResult:
        return CommandResult(seq, order_id, True, None, FILLED, venue.core.time_ns, (fill,))

    venue.decide(venue.signed("POST", "/api/v3/order", **BUY), result=result, order_id=order_id)


def get(venue: Venue, path: str, **parameters: Any) -> Any:
    """Return the decoded answer to a signed query."""
    return body(venue.decide(venue.signed("GET", path, **parameters)))


def test_order(venue: Venue) -> None:
    """An order is found by either id and shown with all its times."""
    place(venue, 7, newClientOrderId="mine")
    expected = {
        "symbol": "BTCUSDT",
        "orderId": 7,
        "orderListId": -1,
        "clientOrderId": "mine",
        "price": "100.00000000",
        "origQty": "1.00000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": NOW_MS,
        "updateTime": NOW_MS,
        "isWorking": True,
        "workingTime": NOW_MS,
    }
    assert get(venue, "/api/v3/order", symbol="BTCUSDT", orderId=7) == expected
    assert get(venue, "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine") == expected


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"symbol": "BTCUSDT", "orderId": 8}, -2013),
        ({"symbol": "ETHUSDT", "orderId": 7}, -2013),
        ({"symbol": "BTCUSDT", "orderId": 0}, -2013),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"orderId": 7}, -1102),
        ({"symbol": "BTCUSDT", "orderId": "9" * 20}, -1108),
    ],
)
def test_orders_that_are_not_there(venue: Venue, sent: dict[str, Any], code: int) -> None:
    """An order that does not exist on that symbol is -2013; a malformed query its own code."""
    place(venue, 7)
    assert get(venue, "/api/v3/order", **sent)["code"] == code


def test_open_orders(venue: Venue) -> None:
    """Open orders of a symbol, or of all for more weight."""
    place(venue, 7)
    place(venue, 8, symbol="ETHUSDT")
    one = venue.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    every = venue.signed("GET", "/api/v3/openOrders")
    assert (one.event.endpoint, every.event.endpoint) == (
        Endpoint.OPEN_ORDERS,
        Endpoint.OPEN_ORDERS_ALL,
    )
    assert [order["orderId"] for order in body(venue.decide(one))] == [7]
    assert [order["orderId"] for order in body(venue.decide(every))] == [7, 8]


def test_all_orders(venue: Venue) -> None:
    """Orders from an id on, the latest up to a limit, and never more than a day at once."""
    for order_id in (7, 8, 9):
        place(venue, order_id)
    path, symbol = "/api/v3/allOrders", "BTCUSDT"
    assert [one["orderId"] for one in get(venue, path, symbol=symbol, orderId=8)] == [8, 9]
    assert [one["orderId"] for one in get(venue, path, symbol=symbol, limit=1)] == [9]
    day_ms = NS_PER_DAY // NS_PER_MS
    spans = ((day_ms, list), (day_ms + 1, dict))
    for span_ms, kind in spans:
        found = get(venue, path, symbol=symbol, startTime=NOW_MS, endTime=NOW_MS + span_ms)
        assert isinstance(found, kind)
    assert found["code"] == -1127


def test_my_trades(venue: Venue) -> None:
    """Trades of a symbol, of one order for less weight, from an id on."""
    buy(venue, 7, 21)
    buy(venue, 8, 22)
    path = "/api/v3/myTrades"
    parsed = venue.signed("GET", path, symbol="BTCUSDT", orderId=7)
    assert parsed.event.endpoint == Endpoint.MY_TRADES_BY_ORDER
    assert body(venue.decide(parsed)) == [
        {
            "symbol": "BTCUSDT",
            "id": 21,
            "orderId": 7,
            "orderListId": -1,
            "price": "100.00000000",
            "qty": "1.00000000",
            "quoteQty": "100.00000000",
            "commission": "0.00100000",
            "commissionAsset": "BTC",
            "time": NOW_MS,
            "isBuyer": True,
            "isMaker": False,
            "isBestMatch": True,
        }
    ]
    assert [one["id"] for one in get(venue, path, symbol="BTCUSDT")] == [21, 22]
    assert [one["id"] for one in get(venue, path, symbol="BTCUSDT", fromId=22)] == [22]
    assert get(venue, path, symbol="BTCUSDT", fromId=22, startTime=1)["code"] == -1128


def test_account(venue: Venue) -> None:
    """Balances free and locked, commissions in basis points and as rates, what the key may do."""
    answer = get(venue, "/api/v3/account")
    assert answer["balances"] == [
        {"asset": "BTC", "free": "0.00000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "990.00000000", "locked": "10.00000000"},
    ]
    assert (answer["makerCommission"], answer["takerCommission"]) == (10, 20)
    assert answer["commissionRates"]["taker"] == "0.00200000"
    assert answer["canTrade"] is True
    assert [
        one["asset"] for one in get(venue, "/api/v3/account", omitZeroBalances="true")["balances"]
    ] == ["USDT"]
    assert get(venue, "/api/v3/account", omitZeroBalances="maybe")["code"] == -1130


def test_order_counts(venue: Venue) -> None:
    """Order counts come per window, in the body and in the headers."""
    answer = venue.decide(venue.signed("GET", "/api/v3/rateLimit/order"))
    assert body(answer) == [
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": 100,
            "count": 3,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "DAY",
            "intervalNum": 1,
            "limit": 200_000,
            "count": 4,
        },
    ]
    assert header(answer, "X-MBX-ORDER-COUNT-10S") == "3"


def test_commission(venue: Venue) -> None:
    """Commission rates of a symbol."""
    answer = get(venue, "/api/v3/account/commission", symbol="BTCUSDT")
    assert answer["standardCommission"]["maker"] == "0.00100000"
    assert answer["symbol"] == "BTCUSDT"


@pytest.mark.parametrize(
    "path", ["openOrderList", "allOrderList", "myPreventedMatches", "myAllocations"]
)
def test_what_this_venue_has_none_of(venue: Venue, path: str) -> None:
    """Lists, allocations and prevented matches are always empty."""
    assert get(venue, f"/api/v3/{path}") == []


def test_own_decision(venue: Venue) -> None:
    """A key can look up what was decided on its own requests, and why."""
    breach = refusal(Reason.PRICE_TICK, rule="price_filter", limit=10**6, observed=123)
    refused = venue.decide(venue.signed("POST", "/api/v3/order", **BID), breach)
    decision_id = header(refused, "X-OrderGate-Decision")
    found = get(venue, f"/ordergate/v1/decisions/{decision_id}")
    assert found == {
        "decisionId": decision_id,
        "time": NOW_MS,
        "endpoint": "order_place",
        "verdict": "REFUSED",
        "breaches": [
            {
                "rule": "price_filter",
                "reason": "PRICE_TICK",
                "limit": "0.01000000",
                "observed": "0.00000123",
            }
        ],
        "symbol": "BTCUSDT",
    }


def test_other_decisions(venue: Venue) -> None:
    """Another key's decision, a lost one and a made-up id are answered alike."""
    other = venue.decide(venue.signed("POST", "/api/v3/order", key=OTHER_KEY, **BID))
    public = venue.decide(venue.parse("GET", "/api/v3/ping"))
    ids = [
        header(other, "X-OrderGate-Decision"),
        header(public, "X-OrderGate-Decision"),
        venue.ids.encode(999_999),
        "a" * 26,
        "x",
    ]
    answers = set()
    for decision_id in ids:
        answer = venue.decide(venue.signed("GET", f"/ordergate/v1/decisions/{decision_id}"))
        answers.add((answer.status, answer.body))
    assert answers == {(404, b'{"code":-2013,"msg":"This decision does not exist."}')}


def test_decision_event(venue: Venue) -> None:
    """The look-up itself is an event that names what was looked up."""
    event = venue.signed("GET", "/ordergate/v1/decisions/abc").event
    assert isinstance(event, Query)
    assert (event.endpoint, event.detail) == (Endpoint.GATE_DECISION, "abc")


def test_limits(venue: Venue) -> None:
    """Every use of every limit, for each scope that applies to the key."""
    answer = get(venue, "/ordergate/v1/limits")
    assert answer["time"] == NOW_MS
    assert [one["scope"] for one in answer["limits"]] == [
        scope
        for scope in ("ip", "key", "account", "owner", *("account_symbol", "owner_symbol") * 2)
        for _ in range(2)
    ]
    assert answer["limits"][0] == {
        "rule": "request_weight",
        "scope": "ip",
        "label": "1M",
        "used": 21,
        "limit": 6000,
        "windowMs": 60_000,
        "resetsAt": NOW_MS + 60_000,
    }
