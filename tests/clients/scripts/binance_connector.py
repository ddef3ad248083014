"""binance-connector against a gate: `python binance_connector.py ARGUMENTS`."""

from typing import Any

from binance.error import ClientError, ServerError
from binance.spot import Spot
from journal import SYMBOL, Journal, Key, arguments, far_below, near_above, off_tick, wrong_clock

given = arguments()
client = Spot(given.free.name, given.free.secret, base_url=given.base_url)
metered = Spot(given.free.name, given.free.secret, base_url=given.base_url, show_limit_usage=True)


def describe(error: Exception) -> dict[str, Any]:
    if isinstance(error, ClientError):
        return {
            "code": error.error_code,
            "text": error.error_message,
            "status": error.status_code,
            "headers": {key.lower(): value for key, value in error.header.items()},
        }
    if isinstance(error, ServerError):
        return {"text": error.message, "status": error.status_code}
    return {}


journal = Journal(describe)
step = journal.step

# --- The market
step("ping", client.ping)
step("time", client.time)
step("exchange_info", lambda: client.exchange_info(symbol=SYMBOL))
step("exchange_info_two", lambda: client.exchange_info(symbols=["BTCUSDT", "ETHUSDT"]))
step("depth", lambda: client.depth(SYMBOL, limit=10))
journal.until_something("trades", lambda: client.trades(SYMBOL, limit=10))
step("agg_trades", lambda: client.agg_trades(SYMBOL, limit=10))
step("klines", lambda: client.klines(SYMBOL, "1m", limit=1000))
step("ui_klines", lambda: client.ui_klines(SYMBOL, "1d", limit=30))
step("ticker_24hr", lambda: client.ticker_24hr(SYMBOL))
step("ticker_price", lambda: client.ticker_price(SYMBOL))
step("avg_price", lambda: client.avg_price(SYMBOL))
book = step("book_ticker", lambda: client.book_ticker(SYMBOL))
low = far_below(book["bidPrice"])
high = near_above(book["askPrice"])

# --- An order's life
step("account", client.account)
limit = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001", "price": low}
step("test_order", lambda: client.new_order_test(SYMBOL, "BUY", **limit))
placed = step(
    "place",
    lambda: client.new_order(SYMBOL, "BUY", newClientOrderId="my-order_1", **limit),
)
order_id = placed["orderId"]
step("query", lambda: client.get_order(SYMBOL, orderId=order_id))
step("query_by_client_id", lambda: client.get_order(SYMBOL, origClientOrderId="my-order_1"))
step("open_orders", lambda: client.get_open_orders(SYMBOL))
replaced = step(
    "replace",
    lambda: client.cancel_and_replace(
        SYMBOL, "BUY", "LIMIT", "STOP_ON_FAILURE", cancelOrderId=order_id,
        timeInForce="GTC", quantity="0.002", price=low,
    ),
)  # fmt: skip
order_id = replaced["newOrderResponse"]["orderId"]
step("cancel", lambda: client.cancel_order(SYMBOL, orderId=order_id))
step("query_cancelled", lambda: client.get_order(SYMBOL, orderId=order_id))
step("market_buy", lambda: client.new_order(SYMBOL, "BUY", "MARKET", quantity=0.01))
step("market_buy_quote", lambda: client.new_order(SYMBOL, "BUY", "MARKET", quoteOrderQty=100))
step("market_sell", lambda: client.new_order(SYMBOL, "SELL", "MARKET", quantity=0.005))
step("my_trades", lambda: client.my_trades(SYMBOL))
step("all_orders", lambda: client.get_orders(SYMBOL))
step("place_two", lambda: [client.new_order(SYMBOL, "BUY", **limit) for _ in range(2)])
step("cancel_all", lambda: client.cancel_open_orders(SYMBOL))
step("order_limits", client.get_order_rate_limit)
step("commission", lambda: client.query_commission_rates(SYMBOL))
step("metered_ping", metered.ping)
step("metered_place", lambda: metered.new_order(SYMBOL, "BUY", **limit | {"timeInForce": "IOC"}))

# --- Refusals
step("bad_tick", lambda: client.new_order(SYMBOL, "BUY", **limit | {"price": off_tick(low)}))
step("bad_lot", lambda: client.new_order(SYMBOL, "BUY", **limit | {"quantity": "0.001005"}))
step("small_value", lambda: client.new_order(SYMBOL, "BUY", **limit | {"quantity": "0.00001"}))
step("small_float", lambda: client.new_order(SYMBOL, "BUY", **limit | {"quantity": 0.00001}))
step(
    "no_funds",
    lambda: client.new_order(SYMBOL, "SELL", **limit | {"quantity": "10.5", "price": high}),
)
step("cancel_unknown", lambda: client.cancel_order(SYMBOL, orderId=999_999_999))
step("cancel_again", lambda: client.cancel_order(SYMBOL, orderId=order_id))
step("cancel_none", lambda: client.cancel_open_orders(SYMBOL))
step("query_unknown", lambda: client.get_order(SYMBOL, orderId=999_999_999))
step("unknown_symbol", lambda: client.depth("NOSUCH"))
step("unknown_path", lambda: client.query("/api/v3/nosuch"))
with wrong_clock(-60):
    step("clock_behind", lambda: client.new_order(SYMBOL, "BUY", **limit))
with wrong_clock(5):
    step("clock_ahead", lambda: client.new_order(SYMBOL, "BUY", **limit))
step("long_window", lambda: client.account(recvWindow=60_001))
forger = Spot(given.free.name, "wrong" + given.free.secret[5:], base_url=given.base_url)
step("bad_signature", forger.account)
stranger = Spot("no" + given.free.name[2:], given.free.secret, base_url=given.base_url)
step("unknown_key", stranger.account)
step("bad_key", Spot("short", given.free.secret, base_url=given.base_url).account)
stopped = Spot(given.stopped.name, given.stopped.secret, base_url=given.base_url)
step("stopped", lambda: stopped.new_order(SYMBOL, "BUY", **limit))


def sign_with(kind: str, key: Key) -> None:
    """Read, place and cancel with a key that signs with a private key."""
    signer = Spot(key.name, private_key=key.secret, base_url=given.base_url)
    step(f"{kind}_account", signer.account)
    step(f"{kind}_place", lambda: signer.new_order(SYMBOL, "BUY", **limit))
    step(f"{kind}_cancel_all", lambda: signer.cancel_open_orders(SYMBOL))


sign_with("rsa", given.rsa)
sign_with("ed25519", given.ed25519)
decision = journal.error("bad_tick")["headers"]["x-ordergate-decision"]
step("why", lambda: client.sign_request("GET", f"/ordergate/v1/decisions/{decision}"))
step("limits", lambda: client.sign_request("GET", "/ordergate/v1/limits"))

# --- Too many orders: those that never rest use up the order count and nothing else
immediate = limit | {"timeInForce": "IOC"}
journal.until_refused(
    "too_many_orders", lambda: client.new_order(SYMBOL, "BUY", **immediate), 1_000
)
step("query_after_limit", lambda: client.get_open_orders(SYMBOL))
journal.until(
    "banned",
    lambda: journal.error("banned").get("status") == 418,
    lambda: client.new_order(SYMBOL, "BUY", **immediate),
)
step("while_banned", client.ping)
journal.print()
