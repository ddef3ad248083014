"""Placing: requests into events, results into answers."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.dialects.binance.parameters import DECIMAL_RANGE
from rules.events import (
    CommandResult,
    Fill,
    Place,
    RefusedRequest,
)
from rules.reasons import Reason
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MISSING_SIGNATURE,
    AUTH_NOT_CHECKED,
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    E8,
    EXPIRE_TAKER,
    FILLED,
    FLAG_TEST,
    GTC,
    LIMIT,
    MARKET,
    SELL,
)
from tests.gateway.dialects.binance.stand_in import (
    LIMIT_ORDER,
    NOW_NS,
    Venue,
    body,
    header,
    place,
    rested,
)

MARKET_ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "MARKET",
    "quantity": "2",
}


@pytest.mark.parametrize("in_body", [False, True])
def test_limit_order(venue: Venue, in_body: bool) -> None:
    """A limit order becomes the event it describes, from the query or from the body."""
    parsed = venue.signed(
        "POST",
        "/api/v3/order",
        in_body=in_body,
        **LIMIT_ORDER,
        newClientOrderId="mine-1",
        recvWindow="6000.5",
        selfTradePreventionMode="EXPIRE_TAKER",
        strategyId=5,
        strategyType=1_000_000,
        headers={"user-agent": "a bot"},
    )
    assert parsed.event == Place(
        endpoint=40,
        ip=1,
        key=1,
        auth=AUTH_OK,
        received_ns=NOW_NS,
        timestamp_ns=NOW_NS,
        recv_window_ns=6_000_500_000,
        size=0,
        channel=CHANNEL_REST,
        session=0,
        agent=1,
        symbol=1,
        side=BUY,
        order_type=LIMIT,
        time_in_force=GTC,
        price_e8=10_050_000_000,
        quantity_e8=1_000_000,
        quote_quantity_e8=0,
        client_order_id="mine-1",
        stp_mode=EXPIRE_TAKER,
        strategy_id=5,
        strategy_type=1_000_000,
    )


def test_market_order_by_quote_amount(venue: Venue) -> None:
    """A market order by its quote amount carries that amount and no quantity."""
    sent = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "50"}
    event = venue.signed("POST", "/api/v3/order", **sent).event
    assert isinstance(event, Place)
    assert (event.order_type, event.quantity_e8, event.quote_quantity_e8) == (MARKET, 0, 50 * E8)


def test_signature_and_event(venue: Venue) -> None:
    """A wrong or missing signature goes into the event; the rest is read all the same."""
    order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timestamp=1700000000000"
    headers = {"x-mbx-apikey": "K" * 64}
    wrong = venue.parse("POST", "/api/v3/order", order + "&signature=00", headers=headers).event
    missing = venue.parse("POST", "/api/v3/order", order, headers=headers).event
    assert (wrong.auth, missing.auth) == (AUTH_BAD_SIGNATURE, AUTH_MISSING_SIGNATURE)
    assert isinstance(wrong, Place)


def test_banned_addresses_are_not_verified(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an address is banned its signatures are not looked at."""
    assert venue.signed("POST", "/api/v3/order", **LIMIT_ORDER).event.ip == 1
    ladder = SimpleNamespace(banned_until=lambda ip, now_ns: now_ns + 1 if ip == 1 else 0)
    monkeypatch.setattr(venue.core.pipeline, "rule", lambda name: ladder)
    banned = venue.signed("POST", "/api/v3/order", **LIMIT_ORDER).event
    assert (banned.auth, banned.key) == (AUTH_NOT_CHECKED, 1)
    ladder.banned_until = lambda ip, now_ns: 0
    assert venue.signed("POST", "/api/v3/order", **LIMIT_ORDER).event.auth == AUTH_OK


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"price": None}, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or"),
        ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent"),
        ({"side": None}, -1102, "Mandatory parameter 'side' was not sent"),
        ({"type": None}, -1102, "Mandatory parameter 'type' was not sent"),
        ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce' was not sent"),
        ({"quantity": None}, -1102, "Mandatory parameter 'quantity' was not sent"),
        ({"price": ""}, -1105, "Parameter 'price' was empty."),
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"symbol": "btcusdt"}, -1100, "Illegal characters found in parameter 'symbol'; legal"),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "STOP"}, -1116, "Invalid orderType."),
        ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
        (
            {"quantity": "1e-05"},
            -1100,
            f"Illegal characters found in parameter 'quantity'; legal range is '{DECIMAL_RANGE}'.",
        ),
        ({"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "9" * 20}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0"}, -1013, "Filter failure: LOT_SIZE"),
        ({"price": "9" * 20}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "0.0"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"quoteOrderQty": "1"}, -1106, "Parameter 'quoteOrderQty' sent when not required."),
        ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        ({"icebergQty": "0.001"}, -1013, "Iceberg orders are not supported for this symbol."),
        ({"trailingDelta": "10"}, -1013, "Trailing stop orders are not supported for this symbol."),
        ({"pegPriceType": "X"}, -1013, "Pegged orders are not supported for this symbol."),
        ({"newClientOrderId": "a b"}, -1100, "Illegal characters found in parameter 'newClient"),
        ({"newClientOrderId": "x" * 37}, -1100, "Illegal characters found in parameter 'newCl"),
        ({"newOrderRespType": "ALL"}, -1130, "Data sent for parameter 'newOrderRespType' is not"),
        ({"strategyType": "999999"}, -1134, "`strategyType` was less than 1000000."),
        ({"strategyId": "9" * 20}, -1108, "Parameter 'strategyId' overflowed."),
        ({"timestamp": "soon"}, -1100, "Illegal characters found in parameter 'timestamp'; legal"),
        ({"recvWindow": "-5"}, -1100, "Illegal characters found in parameter 'recvWindow'; legal"),
        ({"selfTradePreventionMode": "X"}, -1130, "Data sent for parameter 'selfTradePreventionM"),
        (
            {"selfTradePreventionMode": "TRANSFER"},
            -1013,
            "This symbol does not allow the specified self-trade prevention mode.",
        ),
    ],
)
def test_malformed_orders(venue: Venue, changes: dict[str, Any], code: int, text: str) -> None:
    """What is wrong with an order is told as Binance tells it, and recorded as a refusal."""
    sent = {name: value for name, value in {**LIMIT_ORDER, **changes}.items() if value is not None}
    parsed = venue.signed("POST", "/api/v3/order", **sent)
    assert isinstance(parsed.event, RefusedRequest)
    assert parsed.event.key == 1
    answer = venue.decide(parsed)
    assert answer.status == 400
    assert body(answer)["code"] == code
    assert body(answer)["msg"].startswith(text)
    assert body(answer)["ordergate"]["reason"] == parsed.event.reason.name


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"price": "1"}, -1106, "Parameter 'price' sent when not required."),
        ({"timeInForce": "GTC"}, -1106, "Parameter 'timeInForce' sent when not required."),
        ({"quoteOrderQty": "1"}, -1128, "Combination of optional parameters invalid."),
        (
            {"quantity": None},
            -1102,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
        ),
        (
            {"type": "STOP_LOSS", "stopPrice": "1"},
            -1013,
            "Stop loss orders are not supported for this symbol.",
        ),
        (
            {
                "type": "TAKE_PROFIT_LIMIT",
                "stopPrice": "1",
                "price": "1",
                "timeInForce": "GTC",
            },
            -1013,
            "Take profit limit orders are not supported for this symbol.",
        ),
        ({"type": "STOP_LOSS"}, -1102, "Mandatory parameter 'stopPrice' was not sent"),
    ],
)
def test_malformed_market_and_stop_orders(
    venue: Venue, changes: dict[str, Any], code: int, text: str
) -> None:
    """Each order type has what it needs and what it may not have."""
    sent = {name: value for name, value in {**MARKET_ORDER, **changes}.items() if value is not None}
    answer = venue.decide(venue.signed("POST", "/api/v3/order", **sent))
    assert body(answer)["code"] == code
    assert body(answer)["msg"].startswith(text)


def test_iceberg_of_nothing_is_absent(venue: Venue) -> None:
    """A zero where absent is meant is taken as absent."""
    parsed = venue.signed("POST", "/api/v3/order", **LIMIT_ORDER, icebergQty="0.00")
    assert isinstance(parsed.event, Place)


def test_ack(venue: Venue) -> None:
    """ACK has the five fields of an acknowledgement."""
    answer = place(venue, newOrderRespType="ACK")
    assert answer == {
        "symbol": "BTCUSDT",
        "orderId": 7,
        "orderListId": -1,
        "clientOrderId": "made",
        "transactTime": 1_700_000_000_001,
    }


def test_result_of_a_resting_order(venue: Venue) -> None:
    """RESULT of a resting order shows its terms and nothing executed."""
    answer = place(venue, newOrderRespType="RESULT", newClientOrderId="mine")
    assert answer == {
        "symbol": "BTCUSDT",
        "orderId": 7,
        "orderListId": -1,
        "clientOrderId": "mine",
        "transactTime": 1_700_000_000_001,
        "price": "100.50000000",
        "origQty": "0.01000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "workingTime": 1_700_000_000_001,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def test_full_is_the_default_and_shows_fills(venue: Venue) -> None:
    """FULL, the default of market and limit orders, lists the immediate fills."""
    parsed = venue.signed("POST", "/api/v3/order", **MARKET_ORDER)
    fills = (
        Fill(11, 100 * E8, E8, 100 * E8, 10_000_000, 2, False),
        Fill(12, 99 * E8, E8, 99 * E8, 9_900_000, 2, False),
    )
    answer = body(
        venue.decide(
            parsed,
            result=lambda seq: CommandResult(seq, 7, True, None, FILLED, NOW_NS, fills),
            order_id=7,
            client_order_id="made",
        )
    )
    assert answer["status"] == "FILLED"
    assert answer["executedQty"] == "2.00000000"
    assert answer["cummulativeQuoteQty"] == "199.00000000"
    assert answer["timeInForce"] == "GTC"
    assert answer["fills"][1] == {
        "price": "99.00000000",
        "qty": "1.00000000",
        "commission": "0.09900000",
        "commissionAsset": "USDT",
        "tradeId": 12,
    }
    assert len(answer["fills"]) == 2


def test_microseconds(venue: Venue) -> None:
    """Times come in microseconds for who asks so; another unit is a fault."""
    parsed = venue.signed(
        "POST", "/api/v3/order", headers={"x-mbx-time-unit": "MICROSECOND"}, **LIMIT_ORDER
    )
    answer = body(venue.decide(parsed, result=rested, order_id=7))
    assert answer["transactTime"] == 1_700_000_000_001_000
    wrong = venue.signed(
        "POST", "/api/v3/order", headers={"x-mbx-time-unit": "SECOND"}, **LIMIT_ORDER
    )
    assert body(venue.decide(wrong))["code"] == -1194


def test_test_order(venue: Venue) -> None:
    """A test order carries its flag and is answered with nothing, or with commission rates."""
    parsed = venue.signed("POST", "/api/v3/order/test", **LIMIT_ORDER)
    assert isinstance(parsed.event, Place)
    assert parsed.event.flags == FLAG_TEST
    assert body(venue.decide(parsed)) == {}
    rated = venue.signed("POST", "/api/v3/order/test", **LIMIT_ORDER, computeCommissionRates="true")
    assert rated.event.size == 1
    assert body(venue.decide(rated))["standardCommissionForOrder"] == {
        "maker": "0.00100000",
        "taker": "0.00200000",
    }


def test_engine_refusal(venue: Venue) -> None:
    """What the engine refuses has its own text, the code of a new order, and `engine` as rule."""
    parsed = venue.signed("POST", "/api/v3/order", **LIMIT_ORDER)
    answer = venue.decide(
        parsed,
        result=lambda seq: CommandResult(seq, 7, False, Reason.ENGINE_WOULD_TAKE, 0, NOW_NS),
        order_id=7,
    )
    assert (answer.status, body(answer)) == (
        400,
        {
            "code": -2010,
            "msg": "Order would immediately match and take.",
            "ordergate": {"rule": "engine", "reason": "ENGINE_WOULD_TAKE"},
        },
    )
    assert header(answer, "X-OrderGate-Rule") == "engine"


def test_an_order_while_the_engine_is_lost(venue: Venue) -> None:
    """It was certainly not sent: busy by code and text, and beside them why."""
    parsed = venue.signed("POST", "/api/v3/order", **LIMIT_ORDER)
    answer = venue.decide(
        parsed,
        result=lambda seq: CommandResult(seq, 7, False, Reason.ENGINE_UNAVAILABLE, 0, NOW_NS),
        order_id=7,
    )
    assert (answer.status, body(answer)["code"]) == (503, -1008)
    assert body(answer)["ordergate"] == {"rule": "engine", "reason": "ENGINE_UNAVAILABLE"}


def test_unknown_execution(venue: Venue) -> None:
    """No answer in time is said as such: 408, -1007, execution status unknown."""
    parsed = venue.signed("POST", "/api/v3/order", **LIMIT_ORDER)
    answer = venue.decide(
        parsed,
        result=lambda seq: CommandResult(seq, 7, False, None, 0, 0, unknown=True),
        order_id=7,
    )
    assert (answer.status, body(answer)["code"]) == (408, -1007)
    assert "execution status unknown" in body(answer)["msg"]


def test_order_count_headers(venue: Venue) -> None:
    """Order answers, refusals among them, show weight and order count of every window."""
    parsed = venue.signed("POST", "/api/v3/order", **LIMIT_ORDER)
    answer = venue.decide(parsed, result=rested, order_id=7)
    assert header(answer, "X-MBX-ORDER-COUNT-10S") == "3"
    assert header(answer, "X-MBX-ORDER-COUNT-1D") == "4"
    assert header(answer, "X-MBX-USED-WEIGHT") == "21"
    assert header(answer, "X-MBX-USED-WEIGHT-1M") == "21"


def test_side_names(venue: Venue) -> None:
    """Both sides arrive."""
    event = venue.signed("POST", "/api/v3/order", **{**LIMIT_ORDER, "side": "SELL"}).event
    assert isinstance(event, Place)
    assert event.side == SELL
