"""Cancelling, replacing and amending: requests into events, results into answers."""

from typing import Any

import pytest

from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    CommandResult,
    Ended,
    Replace,
)
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    NEW,
    RESTRICT_ONLY_NEW,
)
from tests.gateway.dialects.binance.stand_in import (
    LIMIT_ORDER,
    NOW_NS,
    Venue,
    body,
    place,
    refusal,
)


def test_cancel(venue: Venue) -> None:
    """A cancel names its order by either id and is answered with the order's end."""
    place(venue, newClientOrderId="mine")
    parsed = venue.signed(
        "DELETE",
        "/api/v3/order",
        symbol="BTCUSDT",
        origClientOrderId="mine",
        newClientOrderId="c-1",
        cancelRestrictions="ONLY_NEW",
    )
    event = parsed.event
    assert isinstance(event, Cancel)
    assert (event.order_id, event.orig_client_order_id, event.client_order_id) == (0, "mine", "c-1")
    assert event.restriction == RESTRICT_ONLY_NEW
    answer = body(
        venue.decide(
            parsed,
            result=lambda seq: CommandResult(
                seq, 7, True, None, CANCELED, NOW_NS, ended=(Ended(7, CANCELED, 0),)
            ),
            order_id=7,
        )
    )
    assert answer == {
        "symbol": "BTCUSDT",
        "origClientOrderId": "mine",
        "orderId": 7,
        "orderListId": -1,
        "clientOrderId": "c-1",
        "transactTime": 1_700_000_000_000,
        "price": "100.50000000",
        "origQty": "0.01000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "CANCELED",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, -1102),
        ({"orderId": ""}, -1102),
        ({"orderId": "x"}, -1100),
        ({"orderId": "9" * 20}, -1108),
        ({"origClientOrderId": "a b"}, -1100),
        ({"orderId": 1, "cancelRestrictions": "NONE"}, -1145),
        ({"orderId": 1, "newClientOrderId": "a b"}, -1100),
    ],
)
def test_malformed_cancels(venue: Venue, sent: dict[str, Any], code: int) -> None:
    """A cancel without a usable id is refused as Binance refuses it."""
    parsed = venue.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", **sent)
    assert body(venue.decide(parsed))["code"] == code


def test_cancel_refused_by_engine(venue: Venue) -> None:
    """The code says that a cancel was refused, not an order."""
    parsed = venue.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=7)
    answer = venue.decide(
        parsed,
        result=lambda seq: CommandResult(seq, 7, False, Reason.ENGINE_UNKNOWN_ORDER, 0, NOW_NS),
    )
    assert body(answer) == {
        "code": -2011,
        "msg": "Unknown order sent.",
        "ordergate": {"rule": "engine", "reason": "ENGINE_UNKNOWN_ORDER"},
    }


def test_cancel_all(venue: Venue) -> None:
    """All open orders of a symbol end in one array; with none open it is -2011."""
    for order_id in (7, 8):
        place(venue, order_id, newClientOrderId=f"mine-{order_id}")
    parsed = venue.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert isinstance(parsed.event, CancelAll)
    ended = (Ended(7, CANCELED, 0), Ended(8, CANCELED, 0))
    answer = body(
        venue.decide(
            parsed,
            result=lambda seq: CommandResult(seq, 0, True, None, 0, NOW_NS, ended=ended),
        )
    )
    assert [(one["orderId"], one["status"]) for one in answer] == [(7, "CANCELED"), (8, "CANCELED")]
    assert len(answer[0]["clientOrderId"]) == 22
    again = venue.decide(venue.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT"))
    assert (again.status, body(again)["code"]) == (400, -2011)


REPLACEMENT = {**LIMIT_ORDER, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 7}


def test_replace(venue: Venue) -> None:
    """A cancel-replace whose both halves work is 200 with both answers."""
    place(venue, 7)
    parsed = venue.signed(
        "POST", "/api/v3/order/cancelReplace", **REPLACEMENT, cancelNewClientOrderId="c-1"
    )
    assert isinstance(parsed.event, Replace)
    assert not parsed.event.allow_failure
    ended = (Ended(7, CANCELED, 0),)
    answer = venue.decide(
        parsed,
        result=lambda seq: CommandResult(seq, 8, True, None, NEW, NOW_NS, ended=ended),
        order_id=8,
        client_order_id="made-8",
    )
    content = body(answer)
    assert answer.status == 200
    assert (content["cancelResult"], content["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert content["cancelResponse"]["orderId"] == 7
    assert content["cancelResponse"]["clientOrderId"] == "c-1"
    assert content["newOrderResponse"]["orderId"] == 8
    assert content["newOrderResponse"]["fills"] == []


@pytest.mark.parametrize(
    ("mode", "cancelled", "placed", "status", "code"),
    [
        ("STOP_ON_FAILURE", True, False, 409, -2021),
        ("STOP_ON_FAILURE", False, False, 400, -2022),
        ("ALLOW_FAILURE", True, False, 409, -2021),
        ("ALLOW_FAILURE", False, True, 409, -2021),
        ("ALLOW_FAILURE", False, False, 400, -2022),
    ],
)
def test_replace_that_fails(
    venue: Venue, mode: str, cancelled: bool, placed: bool, status: int, code: int
) -> None:
    """What worked and what did not is told for each half, as the engine reports it."""
    place(venue, 7)
    parsed = venue.signed(
        "POST", "/api/v3/order/cancelReplace", **{**REPLACEMENT, "cancelReplaceMode": mode}
    )
    attempted = cancelled or mode == "ALLOW_FAILURE"
    refused = Reason.ENGINE_WOULD_TAKE if attempted else Reason.ENGINE_UNKNOWN_ORDER

    def result(seq: int) -> CommandResult:
        return CommandResult(
            seq,
            8,
            placed,
            None if placed else refused,
            NEW if placed else 0,
            NOW_NS,
            ended=(Ended(7, CANCELED, 0),) if cancelled else (),
            replaced_refusal=refused if cancelled and not placed else None,
        )

    answer = venue.decide(parsed, result=result, order_id=8)
    content, data = body(answer), body(answer)["data"]
    assert (answer.status, content["code"]) == (status, code)
    assert data["cancelResult"] == ("SUCCESS" if cancelled else "FAILURE")
    if cancelled:
        assert data["cancelResponse"]["orderId"] == 7
    else:
        assert data["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}
    if placed:
        assert (data["newOrderResult"], data["newOrderResponse"]["orderId"]) == ("SUCCESS", 8)
    elif attempted:
        text = "Order would immediately match and take."
        assert data["newOrderResult"] == "FAILURE"
        assert data["newOrderResponse"] == {"code": -2010, "msg": text}
    else:
        assert (data["newOrderResult"], data["newOrderResponse"]) == ("NOT_ATTEMPTED", None)


def test_replace_refused_by_the_gate(venue: Venue) -> None:
    """A refusal about the old order is told as a failed cancel; any other is told plainly."""
    parsed = venue.signed("POST", "/api/v3/order/cancelReplace", **REPLACEMENT)
    young = venue.decide(parsed, refusal(Reason.MINIMUM_RESTING_TIME, rule="resting_time"))
    content = body(young)
    assert (young.status, content["code"]) == (400, -2022)
    assert content["data"]["cancelResponse"]["code"] == -1004
    assert content["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    assert content["ordergate"]["rule"] == "resting_time"
    unknown = body(venue.decide(parsed, refusal(Reason.UNKNOWN_ORDER)))
    assert unknown["data"]["cancelResponse"]["code"] == -2011
    counted = venue.decide(parsed, refusal(Reason.ORDER_COUNT_LIMIT, limit=1))
    assert (counted.status, body(counted)["code"]) == (429, -1015)
    assert "data" not in body(counted)


def test_replace_modes(venue: Venue) -> None:
    """The mode is mandatory, and only one way of meeting the order count is offered."""
    for changes, code in (
        ({"cancelReplaceMode": "TRY"}, -1130),
        ({"orderRateLimitExceededMode": "CANCEL_ONLY"}, -1020),
        ({"cancelOrderId": ""}, -1102),
    ):
        parsed = venue.signed("POST", "/api/v3/order/cancelReplace", **{**REPLACEMENT, **changes})
        assert body(venue.decide(parsed))["code"] == code
    allowed = venue.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        **{**REPLACEMENT, "cancelReplaceMode": "ALLOW_FAILURE"},
    )
    assert isinstance(allowed.event, Replace)
    assert allowed.event.allow_failure


def test_amend(venue: Venue) -> None:
    """An amend keeps the order id and shows the new quantity."""
    place(venue, 7)
    parsed = venue.signed(
        "PUT", "/api/v3/order/amend/keepPriority", symbol="BTCUSDT", orderId=7, newQty="0.005"
    )
    assert isinstance(parsed.event, Amend)
    assert (parsed.event.order_id, parsed.event.quantity_e8) == (7, 500_000)
    assert parsed.event.keep_priority
    answer = body(
        venue.decide(
            parsed,
            result=lambda seq: CommandResult(seq, 7, True, None, NEW, NOW_NS),
            order_id=7,
        )
    )
    assert answer["amendedOrder"]["qty"] == "0.00500000"
    assert answer["amendedOrder"]["orderId"] == 7
