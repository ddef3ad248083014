"""python-binance, unmodified, against a running gate: only `Client.API_URL` is changed."""

from decimal import Decimal

import pytest

from tests.clients.gate import Document, refused, what_it_saw, worked

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def saw(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Return what python-binance saw of a demo."""
    directory = tmp_path_factory.mktemp("python-binance")
    return what_it_saw("python-binance", "python_binance.py", directory)


def test_the_documented_example_runs(saw: Document) -> None:
    """The code of docs/clients.md places an order that rests, shows a limit, and cancels it."""
    assert saw["documented"]["result"] == "NEW 1\n"


def test_it_reads_the_market(saw: Document) -> None:
    """Every call that a bot makes at its start is answered in a form the client takes."""
    worked(saw, "ping", "time", "exchange_info", "agg_trades", "ticker_24hr", "tickers")
    assert saw["symbol_info"]["result"]["filters"]
    assert len(saw["depth"]["result"]["bids"]) == 10
    assert saw["trades"]["result"]
    assert len(saw["klines"]["result"]) == 1000
    assert len(saw["history"]["result"]) in (48, 49)
    bid, ask = (Decimal(saw["book_ticker"]["result"][name]) for name in ("bidPrice", "askPrice"))
    assert 0 < bid < ask
    assert saw["avg_price"]["result"]["mins"] == 5


def test_an_order_rests_is_found_and_is_cancelled(saw: Document) -> None:
    """An order far from the market lives as the client expects until it is cancelled."""
    worked(saw, "test_order", "account")
    placed = saw["place"]["result"]
    assert placed["status"] == "NEW"
    assert placed["clientOrderId"].startswith("x-HNA2TXFJ")
    assert saw["query"]["result"]["orderId"] == placed["orderId"]
    assert saw["query_by_client_id"]["result"] == saw["query"]["result"]
    assert [order["orderId"] for order in saw["open_orders"]["result"]] == [placed["orderId"]]
    assert saw["cancel"]["result"]["status"] == "CANCELED"
    assert saw["cancel"]["result"]["origClientOrderId"] == placed["clientOrderId"]
    assert saw["query_cancelled"]["result"]["status"] == "CANCELED"


def test_market_orders_fill(saw: Document) -> None:
    """Market orders come back filled, with fills that add up and show up as own trades."""
    assert Decimal(saw["asset_balance"]["result"]["free"]) == 1_000_000
    for step in ("market_buy", "market_sell"):
        order = saw[step]["result"]
        assert order["status"] == "FILLED"
        assert sum(Decimal(fill["qty"]) for fill in order["fills"]) == Decimal(order["origQty"])
    spent = Decimal(saw["market_buy_quote"]["result"]["cummulativeQuoteQty"])
    assert 90 < spent <= 100
    filled = ("market_buy", "market_buy_quote", "market_sell")
    order_ids = {saw[step]["result"]["orderId"] for step in filled}
    assert {trade["orderId"] for trade in saw["my_trades"]["result"]} == order_ids
    listed = [order["orderId"] for order in saw["all_orders"]["result"]]
    # The first is the documented example's.
    assert listed[1:] == [saw["place"]["result"]["orderId"], *sorted(order_ids)]


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_private_keys_sign(saw: Document, kind: str) -> None:
    """Keys that sign with RSA or Ed25519 read, place and cancel as others do."""
    worked(saw, f"{kind}_account", f"{kind}_place", f"{kind}_cancel_all")
    assert len(saw[f"{kind}_cancel_all"]["result"]) == 1


@pytest.mark.parametrize(
    ("step", "status", "code", "text"),
    [
        ("bad_tick", 400, -1013, "Filter failure: PRICE_FILTER"),
        ("bad_lot", 400, -1013, "Filter failure: LOT_SIZE"),
        ("small_value", 400, -1013, "Filter failure: NOTIONAL"),
        ("no_funds", 400, -2010, "Account has insufficient balance for requested action."),
        ("cancel_unknown", 400, -2011, "Unknown order sent."),
        ("cancel_again", 400, -2011, "Unknown order sent."),
        ("query_unknown", 400, -2013, "Order does not exist."),
        ("unknown_symbol", 400, -1121, "Invalid symbol."),
        ("unknown_path", 404, -1020, "This operation is not supported."),
        (
            "clock_behind",
            400,
            -1021,
            "Timestamp for this request is outside of the recvWindow.",
        ),
        (
            "clock_ahead",
            400,
            -1021,
            "Timestamp for this request was 1000ms ahead of the server's time.",
        ),
        ("bad_signature", 400, -1022, "Signature for this request is not valid."),
        ("unknown_key", 401, -2015, "Invalid API-key, IP, or permissions for action."),
        ("stopped", 400, -2010, "This account may not place or cancel orders."),
    ],
)
def test_refusals(saw: Document, step: str, status: int, code: int, text: str) -> None:
    """A refusal reaches the user as BinanceAPIException with Binance's code and text."""
    refused(saw, step, **{"class": "BinanceAPIException"}, status=status, code=code, text=text)


def test_small_floats_are_refused(saw: Document) -> None:
    """The client writes 0.00001 as 1e-05, which the gate refuses as the venue does."""
    assert str(0.00001) == "1e-05"
    error = refused(saw, "small_float", status=400, code=-1100)
    assert error["text"].startswith("Illegal characters found in parameter 'quantity'")


def test_limit_headers_are_exposed(saw: Document) -> None:
    """`client.response.headers` shows weight on every answer, order counts on those of orders."""
    for step in ("ping", "klines", "account", "place", "bad_tick", "unknown_symbol"):
        headers = saw[step]["headers"]
        assert int(headers["x-mbx-used-weight"]) >= 0
        assert headers["x-mbx-used-weight-1m"] == headers["x-mbx-used-weight"]
        assert headers["x-ordergate-decision"]
    assert int(saw["account"]["headers"]["x-mbx-used-weight"]) >= 20
    assert "x-mbx-order-count-10s" not in saw["ping"]["headers"]
    assert int(saw["place"]["headers"]["x-mbx-order-count-10s"]) > 0
    # The first order was the documented example's.
    assert int(saw["place"]["headers"]["x-mbx-order-count-1d"]) == 2
    assert saw["bad_tick"]["headers"]["x-ordergate-rule"] == "price_filter"


def test_the_order_count_ends_in_429(saw: Document) -> None:
    """The order above the limit is refused, says when to go on, and other requests still pass."""
    step = saw["too_many_orders"]
    text = "Too many new orders; current limit is 100 orders per 10 SECOND."
    refused(saw, "too_many_orders", status=429, code=-1015, text=text)
    assert 1 <= int(step["headers"]["retry-after"]) <= 10
    assert step["headers"]["x-mbx-order-count-10s"] == "100"
    worked(saw, "query_after_limit")


def test_going_on_ends_in_a_ban(saw: Document) -> None:
    """Ten refusals lead to 418 for two minutes, for whatever is asked."""
    error = refused(saw, "banned", status=418, code=-1003)
    assert "IP banned until" in error["text"]
    assert 119 <= int(saw["banned"]["headers"]["retry-after"]) <= 120
    # The first of the ten was the step before; the tenth refusal of this one is the ban's.
    assert saw["banned"]["refused"] == 10
    refused(saw, "while_banned", status=418, code=-1003)
