"""Any bytes at all: the Binance dialect always answers with a request event and valid JSON."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.binance.routes import ROUTES
from gateway.dialects.http import HttpRequest
from rules.events import REQUESTS, Query, RefusedRequest
from tests.gateway.dialects.binance.stand_in import KEY, NOW_NS, Venue, body, header

VENUE = Venue()
PATHS = [*ROUTES, "/ordergate/v1/decisions/abc", "/ordergate/v1/decisions/", "/", "/api/v3/nope"]
NAMES = [
    "symbol",
    "symbols",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
    "recvWindow",
    "timestamp",
    "signature",
    "orderId",
    "origClientOrderId",
    "cancelRestrictions",
    "limit",
    "fromId",
    "startTime",
    "endTime",
    "interval",
    "timeZone",
    "omitZeroBalances",
    "cancelReplaceMode",
    "cancelOrderId",
    "newQty",
    "computeCommissionRates",
    "permissions",
    "symbolStatus",
    "showPermissionSets",
]
NUMBERS = st.one_of(
    st.integers(-5, 10**21).map(str),
    st.sampled_from(["9" * 20, "1" + "0" * 19, "0", "00", "-1", "1e5", "1e-05", "NaN", "0x1", "٣"]),
    st.sampled_from(["9" * 20 + "." + "9" * 20, "0." + "0" * 19 + "1", "1.", ".1", "1\n", " 1"]),
)
VALUES = st.one_of(
    NUMBERS,
    st.sampled_from(["BTCUSDT", "btcusdt", "BUY", "LIMIT", "MARKET", "GTC", "true", "1m", "", "%"]),
    st.sampled_from(['["BTCUSDT"]', "[", "[1]", '["BTCUSDT","BTCUSDT"]', "STOP_ON_FAILURE"]),
    st.text(max_size=40),
)


@st.composite
def parameters(draw: Any) -> bytes:
    """Return a query of known and unknown names with any values, quoted or raw."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=12))
    return "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass")


RAW = st.one_of(parameters(), st.binary(max_size=200))


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "get", ""]),
    path=st.one_of(st.sampled_from(PATHS), st.text(max_size=40)),
    query=RAW,
    sent=RAW,
    headers=st.dictionaries(
        st.sampled_from(["x-mbx-apikey", "user-agent", "x-mbx-time-unit", "content-type"]),
        st.one_of(st.just(KEY), st.text(max_size=80), st.just("MICROSECOND")),
    ),
)
def test_anything_gets_an_event_and_an_answer(
    method: str, path: str, query: bytes, sent: bytes, headers: dict[str, str]
) -> None:
    """Parsing never raises, the event can be recorded, and the refusal is JSON with code, msg."""
    request = HttpRequest(method, path, query, headers, sent, "127.0.0.1", NOW_NS)
    parsed = VENUE.dialect.parse(request)
    event = parsed.event
    assert type(event) in REQUESTS
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=type(event))
    assert decoded == event
    for name in event.__struct_fields__:
        value = getattr(event, name)
        assert not isinstance(value, int) or -1 <= value < 2**63
        assert not isinstance(value, str) or len(value) <= 256
    if isinstance(event, Query):
        assert VENUE.decide(parsed).status in (200, 400, 404)
    if isinstance(event, RefusedRequest):
        answer = VENUE.decide(parsed)
        content = body(answer)
        assert answer.status >= 400
        assert type(content["code"]) is int
        assert type(content["msg"]) is str
        assert "{" not in content["msg"].replace("{1,", "").replace("{0,", "")
        assert header(answer, "Content-Type") == "application/json;charset=UTF-8"
        assert header(answer, "X-OrderGate-Decision")


@pytest.mark.parametrize("number", ["9" * 20, "9" * 20 + "." + "9" * 20, "9" * 21, "-" + "9" * 20])
@pytest.mark.parametrize("name", NAMES)
def test_twenty_digits_in_every_field(name: str, number: str) -> None:
    """A number of twenty digits or more in any field of any route is answered, never a fault."""
    for path, methods in ROUTES.items():
        for method in methods:
            query = f"symbol=BTCUSDT&side=BUY&type=LIMIT&{name}={number}"
            parsed = VENUE.parse(method, path, query)
            assert type(parsed.event) in REQUESTS
            if isinstance(parsed.event, RefusedRequest):
                assert json.loads(VENUE.decide(parsed).body)["code"] < 0
