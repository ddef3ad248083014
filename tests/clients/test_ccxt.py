"""ccxt's binance, unmodified, against a running gate: only its URLs are changed."""

from itertools import pairwise
from typing import Any

import pytest

from tests.clients.gate import Document, refused, what_it_saw, worked

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def saw(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Return what ccxt saw of a demo."""
    return what_it_saw("ccxt", "ccxt_binance.py", tmp_path_factory.mktemp("ccxt"))


def test_the_documented_example_runs(saw: Document) -> None:
    """The code of docs/clients.md places an order that rests, shows a limit, and cancels it."""
    assert saw["documented"]["result"] == "open 1\n"


def test_it_loads_the_markets(saw: Document) -> None:
    """`load_markets` passes with keys and default options, which also ask sapi, fapi and dapi."""
    worked(saw, "load_markets")
    assert saw["market_count"]["result"] == 3
    market = saw["load_markets"]["result"]["BTC/USDT"]
    assert (market["spot"], market["active"]) == (True, True)
    assert market["precision"] == {"amount": 1e-05, "price": 0.01, "base": 1e-08, "quote": 1e-08}
    assert market["limits"]["cost"]["min"] == 5


def test_it_reads_the_market(saw: Document) -> None:
    """Every unified call that a bot makes at its start gives numbers."""
    worked(saw, "time", "tickers", "last_prices")
    assert len(saw["depth"]["result"]["bids"]) == 10
    assert saw["trades"]["result"]
    candles = saw["klines"]["result"]
    assert len(candles) == 1000
    assert {later[0] - earlier[0] for earlier, later in pairwise(candles)} == {60_000}
    ticker = saw["ticker"]["result"]
    assert 0 < ticker["low"] <= ticker["last"] <= ticker["high"]


def test_an_order_rests_is_edited_and_is_cancelled(saw: Document) -> None:
    """An order far from the market lives as the client expects until it is cancelled."""
    worked(saw, "test_order")
    placed = saw["place"]["result"]
    assert (placed["status"], placed["type"], placed["side"]) == ("open", "limit", "buy")
    assert placed["clientOrderId"].startswith("x-TKT5PX2F")
    assert saw["query"]["result"]["id"] == placed["id"]
    assert [order["id"] for order in saw["open_orders"]["result"]] == [placed["id"]]
    edited = saw["edit"]["result"]
    assert (edited["status"], edited["amount"]) == ("open", 0.002)
    assert saw["cancel"]["result"]["status"] == "canceled"
    assert saw["query_cancelled"]["result"]["status"] == "canceled"
    assert saw["place_post_only"]["result"]["postOnly"] is True
    assert [order["status"] for order in saw["cancel_all"]["result"]] == ["canceled"]


def test_market_orders_fill(saw: Document) -> None:
    """Market orders come back closed, with fees and trades; 0.0002 is sent as a plain decimal."""
    assert saw["account"]["result"]["free"]["USDT"] == 1_000_000
    steps = ("small_amount", "market_buy", "market_buy_quote", "market_sell")
    for step in steps:
        order = saw[step]["result"]
        assert (order["status"], order["remaining"]) == ("closed", 0)
        assert order["filled"] == pytest.approx(sum(trade["amount"] for trade in order["trades"]))
        assert order["fee"]["cost"] > 0
    ids = {saw[step]["result"]["id"] for step in steps}
    assert {trade["order"] for trade in saw["my_trades"]["result"]} == ids
    assert ids < {order["id"] for order in saw["all_orders"]["result"]}


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_private_keys_sign(saw: Document, kind: str) -> None:
    """Keys that sign with RSA or Ed25519 read, place and cancel as others do."""
    worked(saw, f"{kind}_account", f"{kind}_place", f"{kind}_cancel_all")
    assert len(saw[f"{kind}_cancel_all"]["result"]) == 1


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("bad_tick", "InvalidOrder"),
        ("bad_lot", "InvalidOrder"),
        ("small_value", "BadRequest"),
        ("small_float", "BadRequest"),
        ("no_funds", "InsufficientFunds"),
        ("would_take", "OrderImmediatelyFillable"),
        ("cancel_unknown", "OrderNotFound"),
        ("cancel_again", "OrderNotFound"),
        ("query_unknown", "OrderNotFound"),
        ("unknown_symbol", "BadSymbol"),
        ("unknown_path", "BadRequest"),
        ("clock_behind", "InvalidNonce"),
        ("clock_ahead", "InvalidNonce"),
        ("bad_signature", "AuthenticationError"),
        ("unknown_key", "AuthenticationError"),
        # ccxt takes -2015 for a temporary ban once a call has passed.
        ("unknown_key_later", "DDoSProtection"),
        ("stopped", "PermissionDenied"),
    ],
)
def test_refusals(saw: Document, step: str, kind: str) -> None:
    """A refusal comes out as the class of ccxt that says what to do about it."""
    refused(saw, step, **{"class": kind})


def test_limit_headers_are_exposed(saw: Document) -> None:
    """`last_response_headers` shows weight on every answer, order counts on those of orders."""
    headers: dict[str, Any] = saw["place"]["headers"]
    assert int(headers["x-mbx-used-weight-1m"]) >= 0
    assert int(headers["x-mbx-order-count-10s"]) > 0
    assert saw["bad_tick"]["headers"]["x-ordergate-rule"] == "price_filter"
    assert "x-mbx-order-count-10s" not in saw["klines"]["headers"]


def test_the_order_count_ends_in_429(saw: Document) -> None:
    """Too many orders are DDoSProtection, with code, limit and Retry-After within reach."""
    error = refused(saw, "too_many_orders", **{"class": "DDoSProtection"})
    assert '"code":-1015' in error["message"]
    assert 1 <= int(saw["too_many_orders"]["headers"]["retry-after"]) <= 10
    worked(saw, "query_after_limit")


def test_going_on_ends_in_a_ban(saw: Document) -> None:
    """Ten refusals lead to 418 for two minutes, for whatever is asked."""
    error = refused(saw, "banned", **{"class": "DDoSProtection"})
    assert "418" in error["message"]
    assert 119 <= int(saw["banned"]["headers"]["retry-after"]) <= 120
    assert saw["banned"]["refused"] == 10
    refused(saw, "while_banned", **{"class": "DDoSProtection"})
