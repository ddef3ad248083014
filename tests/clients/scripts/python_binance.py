"""python-binance against a gate: `python python_binance.py ARGUMENTS`."""

from typing import Any

from binance.client import Client
from binance.exceptions import BinanceAPIException
from journal import SYMBOL, Journal, Key, arguments, far_below, near_above, off_tick

given = arguments()
Client.API_URL = f"{given.base_url}/api"
client = Client(given.free.name, given.free.secret)


def describe(error: Exception) -> dict[str, Any]:
    if not isinstance(error, BinanceAPIException):
        return {}
    return {"code": error.code, "text": error.message, "status": error.status_code}


journal = Journal(describe, lambda: client.response.headers)
step = journal.step

# --- The market
step("ping", client.ping)
step("time", client.get_server_time)
step("exchange_info", client.get_exchange_info)
step("symbol_info", lambda: client.get_symbol_info(SYMBOL))
step("depth", lambda: client.get_order_book(symbol=SYMBOL, limit=10))
journal.until_something("trades", lambda: client.get_recent_trades(symbol=SYMBOL, limit=10))
step("agg_trades", lambda: client.get_aggregate_trades(symbol=SYMBOL, limit=10))
step("klines", lambda: client.get_klines(symbol=SYMBOL, interval="1m", limit=1000))
step("history", lambda: client.get_historical_klines(SYMBOL, "1h", "2 days ago UTC"))
step("ticker_24hr", lambda: client.get_ticker(symbol=SYMBOL))
step("tickers", client.get_all_tickers)
step("ticker_price", lambda: client.get_symbol_ticker(symbol=SYMBOL))
step("avg_price", lambda: client.get_avg_price(symbol=SYMBOL))
book = step("book_ticker", lambda: client.get_orderbook_ticker(symbol=SYMBOL))
low = far_below(book["bidPrice"])
high = near_above(book["askPrice"])

# --- An order's life
step("account", client.get_account)
step("asset_balance", lambda: client.get_asset_balance("USDT"))
limit = {"symbol": SYMBOL, "quantity": "0.001", "price": low}
step(
    "test_order",
    lambda: client.create_test_order(side="BUY", type="LIMIT", timeInForce="GTC", **limit),
)
placed = step("place", lambda: client.order_limit_buy(**limit))
order = {"symbol": SYMBOL, "orderId": placed["orderId"]}
step("query", lambda: client.get_order(**order))
step(
    "query_by_client_id",
    lambda: client.get_order(symbol=SYMBOL, origClientOrderId=placed["clientOrderId"]),
)
step("open_orders", lambda: client.get_open_orders(symbol=SYMBOL))
step("cancel", lambda: client.cancel_order(**order))
step("query_cancelled", lambda: client.get_order(**order))
step("market_buy", lambda: client.order_market_buy(symbol=SYMBOL, quantity="0.01"))
step("market_buy_quote", lambda: client.order_market_buy(symbol=SYMBOL, quoteOrderQty="100"))
step("market_sell", lambda: client.order_market_sell(symbol=SYMBOL, quantity="0.005"))
step("my_trades", lambda: client.get_my_trades(symbol=SYMBOL))
step("all_orders", lambda: client.get_all_orders(symbol=SYMBOL))
step("order_limits", client.get_current_order_count)

# --- Refusals
step("bad_tick", lambda: client.order_limit_buy(**limit | {"price": off_tick(low)}))
step("bad_lot", lambda: client.order_limit_buy(**limit | {"quantity": "0.001005"}))
step("small_value", lambda: client.order_limit_buy(**limit | {"quantity": "0.00001"}))
step("small_float", lambda: client.order_limit_buy(**limit | {"quantity": 0.00001}))
step(
    "no_funds",
    lambda: client.order_limit_sell(symbol=SYMBOL, quantity="10.5", price=high),
)
step("cancel_unknown", lambda: client.cancel_order(symbol=SYMBOL, orderId=999_999_999))
step("cancel_again", lambda: client.cancel_order(**order))
step("query_unknown", lambda: client.get_order(symbol=SYMBOL, orderId=999_999_999))
step("unknown_symbol", lambda: client.get_order_book(symbol="NOSUCH"))
step("unknown_path", lambda: client.v3_get_ticker_trading_day(symbol=SYMBOL))
client.timestamp_offset = -60_000
step("clock_behind", lambda: client.order_limit_buy(**limit))
client.timestamp_offset = 5_000
step("clock_ahead", lambda: client.order_limit_buy(**limit))
client.timestamp_offset = 0
honest = client
client = Client(given.free.name, "wrong" + given.free.secret[5:], ping=False)
step("bad_signature", client.get_account)
client = Client("no" + given.free.name[2:], given.free.secret, ping=False)
step("unknown_key", client.get_account)
client = Client(given.stopped.name, given.stopped.secret, ping=False)
step("stopped", lambda: client.order_limit_buy(**limit))
client = honest


def sign_with(kind: str, key: Key) -> None:
    """Read, place and cancel with a key that signs with a private key."""
    signer = Client(key.name, private_key=key.secret)
    step(f"{kind}_account", signer.get_account)
    step(f"{kind}_place", lambda: signer.order_limit_buy(**limit))
    step(f"{kind}_cancel_all", lambda: signer.cancel_all_open_orders(symbol=SYMBOL))


sign_with("rsa", given.rsa)
sign_with("ed25519", given.ed25519)

# --- Too many orders: those that never rest use up the order count and nothing else
journal.until_refused(
    "too_many_orders",
    lambda: client.create_order(side="BUY", type="LIMIT", timeInForce="IOC", **limit),
    1_000,
)
step("query_after_limit", lambda: client.get_open_orders(symbol=SYMBOL))
journal.until(
    "banned",
    lambda: journal.error("banned").get("status") == 418,
    lambda: client.create_order(side="BUY", type="LIMIT", timeInForce="IOC", **limit),
)
step("while_banned", client.ping)
journal.print()
