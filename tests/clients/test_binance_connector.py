"""binance-connector, unmodified, against a running gate: only `base_url` is changed."""

from decimal import Decimal

import pytest

from tests.clients.gate import Document, refused, what_it_saw, worked

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def saw(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Return what binance-connector saw of a demo."""
    directory = tmp_path_factory.mktemp("binance-connector")
    return what_it_saw("binance-connector", "binance_connector.py", directory)


def test_the_documented_example_runs(saw: Document) -> None:
    """The code of docs/clients.md places an order that rests, shows a limit, and cancels it."""
    assert saw["documented"]["result"] == "NEW 1\n"


def test_it_reads_the_market(saw: Document) -> None:
    """Every call that a bot makes at its start is answered in a form the client takes."""
    worked(saw, "ping", "time", "agg_trades", "ticker_24hr", "ticker_price", "book_ticker")
    symbols = saw["exchange_info"]["result"]["symbols"]
    assert [symbol["symbol"] for symbol in symbols] == ["BTCUSDT"]
    assert len(saw["exchange_info_two"]["result"]["symbols"]) == 2
    assert len(saw["depth"]["result"]["asks"]) == 10
    assert saw["trades"]["result"]
    assert len(saw["klines"]["result"]) == 1000
    assert len(saw["ui_klines"]["result"]) == 30
    assert Decimal(saw["avg_price"]["result"]["price"]) > 0


def test_an_order_rests_is_replaced_and_is_cancelled(saw: Document) -> None:
    """Parameters in the query with an empty body are read, for POST and DELETE alike."""
    worked(saw, "test_order", "account", "commission", "order_limits")
    placed = saw["place"]["result"]
    assert (placed["status"], placed["clientOrderId"]) == ("NEW", "my-order_1")
    assert saw["query"]["result"]["orderId"] == placed["orderId"]
    assert saw["query_by_client_id"]["result"] == saw["query"]["result"]
    assert [order["orderId"] for order in saw["open_orders"]["result"]] == [placed["orderId"]]
    replaced = saw["replace"]["result"]
    assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert saw["cancel"]["result"]["status"] == "CANCELED"
    assert saw["query_cancelled"]["result"]["status"] == "CANCELED"
    two = [order["orderId"] for order in saw["place_two"]["result"]]
    assert [order["orderId"] for order in saw["cancel_all"]["result"]] == two


def test_market_orders_fill(saw: Document) -> None:
    """Market orders come back filled, with fills that add up and show up as own trades."""
    filled = ("market_buy", "market_buy_quote", "market_sell")
    for step in filled:
        order = saw[step]["result"]
        assert order["status"] == "FILLED"
        assert sum(Decimal(fill["qty"]) for fill in order["fills"]) == Decimal(order["origQty"])
    order_ids = {saw[step]["result"]["orderId"] for step in filled}
    assert {trade["orderId"] for trade in saw["my_trades"]["result"]} == order_ids
    assert order_ids < {order["orderId"] for order in saw["all_orders"]["result"]}


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_private_keys_sign(saw: Document, kind: str) -> None:
    """Keys that sign with RSA or Ed25519 read, place and cancel as others do."""
    worked(saw, f"{kind}_account", f"{kind}_place", f"{kind}_cancel_all")
    assert len(saw[f"{kind}_cancel_all"]["result"]) == 1


@pytest.mark.parametrize(
    ("step", "status", "code", "text", "rule"),
    [
        ("bad_tick", 400, -1013, "Filter failure: PRICE_FILTER", "price_filter"),
        ("bad_lot", 400, -1013, "Filter failure: LOT_SIZE", "lot_size"),
        ("small_value", 400, -1013, "Filter failure: NOTIONAL", "notional"),
        (
            "no_funds",
            400,
            -2010,
            "Account has insufficient balance for requested action.",
            "balance",
        ),
        ("cancel_unknown", 400, -2011, "Unknown order sent.", "known_order"),
        ("cancel_again", 400, -2011, "Unknown order sent.", "known_order"),
        ("cancel_none", 400, -2011, "Unknown order sent.", None),
        ("query_unknown", 400, -2013, "Order does not exist.", None),
        ("unknown_symbol", 400, -1121, "Invalid symbol.", "request"),
        ("unknown_path", 404, -1020, "This operation is not supported.", "request"),
        (
            "clock_behind",
            400,
            -1021,
            "Timestamp for this request is outside of the recvWindow.",
            "recv_window",
        ),
        (
            "clock_ahead",
            400,
            -1021,
            "Timestamp for this request was 1000ms ahead of the server's time.",
            "recv_window",
        ),
        (
            "long_window",
            400,
            -1102,
            "'recvWindow' contains unexpected value. Cannot be greater than 60000.",
            "recv_window",
        ),
        ("bad_signature", 400, -1022, "Signature for this request is not valid.", "authentication"),
        (
            "unknown_key",
            401,
            -2015,
            "Invalid API-key, IP, or permissions for action.",
            "authentication",
        ),
        ("bad_key", 401, -2014, "API-key format invalid.", "authentication"),
        ("stopped", 400, -2010, "This account may not place or cancel orders.", "stop_state"),
    ],
)
def test_refusals(
    saw: Document, step: str, status: int, code: int, text: str, rule: str | None
) -> None:
    """A refusal reaches the user as ClientError with code, text and headers."""
    error = refused(saw, step, **{"class": "ClientError"}, status=status, code=code, text=text)
    assert error["headers"].get("x-ordergate-rule") == rule
    assert int(error["headers"]["x-mbx-used-weight-1m"]) >= 0


def test_small_floats_are_refused(saw: Document) -> None:
    """The client writes 0.00001 as 1e-05, which the gate refuses as the venue does."""
    error = refused(saw, "small_float", status=400, code=-1100)
    assert error["text"].startswith("Illegal characters found in parameter 'quantity'")


def test_limit_usage_is_shown(saw: Document) -> None:
    """`show_limit_usage=True` returns what is used of weight and order count."""
    ping = saw["metered_ping"]["result"]["limit_usage"]
    assert set(ping) == {"x-mbx-used-weight", "x-mbx-used-weight-1m"}
    placed = saw["metered_place"]["result"]["limit_usage"]
    assert set(placed) == {*ping, "x-mbx-order-count-10s", "x-mbx-order-count-1d"}
    # A placed order weighs nothing; between the two a new minute may have begun.
    assert placed["x-mbx-used-weight-1m"] in (ping["x-mbx-used-weight-1m"], "0")
    day = next(
        limit["count"] for limit in saw["order_limits"]["result"] if limit["interval"] == "DAY"
    )
    assert int(placed["x-mbx-order-count-1d"]) == day + 1


def test_it_can_ask_the_gate_why(saw: Document) -> None:
    """The connector signs any path, so the gate's own routes are open to it."""
    why = saw["why"]["result"]
    assert "price_filter" in str(why)
    assert "order_count" in str(saw["limits"]["result"])


def test_the_order_count_ends_in_429(saw: Document) -> None:
    """The order above the limit is refused, says when to go on, and other requests still pass."""
    text = "Too many new orders; current limit is 100 orders per 10 SECOND."
    error = refused(saw, "too_many_orders", status=429, code=-1015, text=text)
    assert 1 <= int(error["headers"]["retry-after"]) <= 10
    assert error["headers"]["x-mbx-order-count-10s"] == "100"
    worked(saw, "query_after_limit")


def test_going_on_ends_in_a_ban(saw: Document) -> None:
    """Ten refusals lead to 418 for two minutes, for whatever is asked."""
    error = refused(saw, "banned", status=418, code=-1003)
    assert 119 <= int(error["headers"]["retry-after"]) <= 120
    # The first of the ten was the step before; the tenth refusal of this one is the ban's.
    assert saw["banned"]["refused"] == 10
    refused(saw, "while_banned", status=418, code=-1003)
