"""binance-sdk-spot, unmodified, against a running gate: only `base_path` is changed."""

from decimal import Decimal

import pytest

from tests.clients.gate import Document, refused, what_it_saw, worked

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def saw(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Return what binance-sdk-spot saw of a demo."""
    directory = tmp_path_factory.mktemp("binance-sdk-spot")
    return what_it_saw("binance-sdk-spot", "binance_sdk.py", directory)


def test_the_documented_example_runs(saw: Document) -> None:
    """The code of docs/clients.md places an order that rests, shows a limit, and cancels it."""
    assert saw["documented"]["result"] == "NEW [1]\n"


def test_it_reads_the_market(saw: Document) -> None:
    """Every call that a bot makes at its start is answered."""
    worked(saw, "ping", "time", "exchange_info", "agg_trades", "ticker_24hr", "ticker_price")
    assert len(saw["depth"]["result"]["bids"]) == 10
    assert saw["trades"]["result"]
    assert len(saw["klines"]["result"]) == 1000
    assert saw["avg_price"]["result"]["mins"] == 5


def test_every_answer_fits_its_models(saw: Document) -> None:
    """The SDK checks types strictly and warns of an answer that does not fit; it warned of none."""
    assert saw["warnings"]["result"] == []


def test_an_order_rests_is_replaced_and_is_cancelled(saw: Document) -> None:
    """An order far from the market lives as the client expects until it is cancelled."""
    worked(saw, "test_order", "account", "order_limits", "commission", "all_orders")
    placed = saw["place"]["result"]
    assert placed["status"] == "NEW"
    assert saw["query"]["result"]["orderId"] == placed["orderId"]
    assert [order["orderId"] for order in saw["open_orders"]["result"]] == [placed["orderId"]]
    assert saw["replace"]["result"]["newOrderResult"] == "SUCCESS"
    assert saw["cancel"]["result"]["status"] == "CANCELED"
    assert saw["query_cancelled"]["result"]["status"] == "CANCELED"


def test_market_orders_fill(saw: Document) -> None:
    """Market orders come back filled, with fills that add up and show up as own trades."""
    for step in ("market_buy", "market_sell"):
        order = saw[step]["result"]
        assert order["status"] == "FILLED"
        assert sum(Decimal(fill["qty"]) for fill in order["fills"]) == Decimal(order["origQty"])
    order_ids = {saw[step]["result"]["orderId"] for step in ("market_buy", "market_sell")}
    assert {trade["orderId"] for trade in saw["my_trades"]["result"]} == order_ids


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_private_keys_sign(saw: Document, kind: str) -> None:
    """Keys that sign with RSA or Ed25519 read, place and cancel as others do."""
    worked(saw, f"{kind}_account", f"{kind}_place", f"{kind}_cancel_all")
    assert len(saw[f"{kind}_cancel_all"]["result"]) == 1


@pytest.mark.parametrize(
    ("step", "kind", "code"),
    [
        ("bad_tick", "BadRequestError", -1013),
        ("bad_lot", "BadRequestError", -1013),
        ("small_float", "BadRequestError", -1100),
        ("no_funds", "BadRequestError", -2010),
        ("cancel_unknown", "BadRequestError", -2011),
        ("cancel_again", "BadRequestError", -2011),
        ("query_unknown", "BadRequestError", -2013),
        ("unknown_symbol", "BadRequestError", -1121),
        ("unknown_path", "NotFoundError", -1020),
        ("clock_behind", "BadRequestError", -1021),
        ("clock_ahead", "BadRequestError", -1021),
        ("bad_signature", "BadRequestError", -1022),
        ("unknown_key", "UnauthorizedError", -2015),
        ("stopped", "BadRequestError", -2010),
    ],
)
def test_refusals(saw: Document, step: str, kind: str, code: int) -> None:
    """A refusal reaches the user as the SDK's class for the HTTP status, with Binance's code."""
    error = refused(saw, step, **{"class": kind}, code=code)
    assert error["text"]


def test_limits_are_exposed(saw: Document) -> None:
    """`answer.rate_limits` lists weight and both order counts of a placed order."""
    limits = saw["rate_limits"]["result"]
    assert [(limit["rateLimitType"], limit["interval"]) for limit in limits] == [
        ("REQUEST_WEIGHT", "MINUTE"),
        ("ORDERS", "SECOND"),
        ("ORDERS", "DAY"),
    ]
    # The first order was the documented example's.
    assert [limit["count"] for limit in limits[2:]] == [2]


def test_limits_end_in_429_and_a_ban(saw: Document) -> None:
    """Both have a class of their own, with the seconds to wait."""
    error = refused(saw, "too_many_orders", **{"class": "TooManyRequestsError"}, code=-1015)
    assert 1 <= error["retry_after"] <= 10
    worked(saw, "query_after_limit")
    error = refused(saw, "banned", **{"class": "RateLimitBanError"}, code=-1003)
    assert 119 <= error["retry_after"] <= 120
