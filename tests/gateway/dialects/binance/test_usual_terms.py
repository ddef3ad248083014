"""Words of new orders that came before mean what they mean the first time."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.events import Place, RefusedRequest
from tests.gateway.dialects.binance.stand_in import Venue

ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from(["BTCUSDT", "ETHUSDT", "NONE", "btc", ""]),
        "side": st.sampled_from(["BUY", "SELL", "buy", ""]),
        "type": st.sampled_from(["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "OTHER"]),
        "timeInForce": st.sampled_from(["GTC", "IOC", "FOK", "GTX", ""]),
        "quantity": st.sampled_from(["1", "0.01", "0", "1e3", "0.000000001", "", "-1", "9" * 20]),
        "price": st.sampled_from(["100", "100.50", "0", "1.", ".5", "", "12345678901.5", "\u0663"]),
        "newClientOrderId": st.sampled_from(["one", "two", "a b", ""]),
        "newOrderRespType": st.sampled_from(["ACK", "RESULT", "FULL", "NONE", ""]),
        "stopPrice": st.just("90"),
        "recvWindow": st.sampled_from(["5000", "5000.5", "0", "x"]),
        "other": st.just("1"),
    },
)
WELL_FORMED = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "100.5",
}


def read(venue: Venue, parameters: dict[str, Any]) -> Place | RefusedRequest:
    """Return the event of a new order."""
    event = venue.signed("POST", "/api/v3/order", **parameters).event
    assert isinstance(event, Place | RefusedRequest)
    return event


@given(
    st.lists(
        st.one_of(ORDERS, ORDERS.map(lambda changes: WELL_FORMED | changes)),
        min_size=1,
        max_size=8,
    )
)
def test_orders_before_make_no_difference(orders: list[dict[str, Any]]) -> None:
    """An order that follows others is read as the same order is that comes first."""
    venue = Venue()
    for parameters in [WELL_FORMED, *orders, *orders]:
        assert read(venue, dict(parameters)) == read(Venue(), dict(parameters))


def test_answers_keep_their_form() -> None:
    """How much an answer tells belongs to the words that are remembered."""
    venue = Venue()
    for kind in ("ACK", "RESULT", "FULL", "ACK"):
        parsed = venue.signed("POST", "/api/v3/order", **WELL_FORMED, newOrderRespType=kind)
        told = venue.decide(parsed, order_id=7, client_order_id="made").body
        assert (b"origQty" in told, b"fills" in told) == (kind != "ACK", kind == "FULL")
