"""ccxt's binance against a gate: `python ccxt_binance.py ARGUMENTS`."""

from urllib.parse import urlsplit

import ccxt
from journal import Journal, Key, arguments, far_below, near_above, off_tick

SYMBOL = "BTC/USDT"

given = arguments()


def exchange(key: str, secret: str) -> ccxt.binance:
    """Return a client of which nothing but the URLs is changed."""
    made = ccxt.binance({"apiKey": key, "secret": secret})
    for name, url in made.urls["api"].items():
        if isinstance(url, str):
            made.urls["api"][name] = given.base_url + urlsplit(url).path
    return made


client = exchange(given.free.name, given.free.secret)
journal = Journal(lambda error: {}, lambda: client.last_response_headers or {})
step = journal.step

# --- The market
markets = step("load_markets", client.load_markets)
journal.note("market_count", len(markets))
step("time", client.fetch_time)
step("depth", lambda: client.fetch_order_book(SYMBOL, 10))
journal.until_something("trades", lambda: client.fetch_trades(SYMBOL, limit=10))
step("klines", lambda: client.fetch_ohlcv(SYMBOL, "1m", limit=1000))
step("ticker", lambda: client.fetch_ticker(SYMBOL))
step("tickers", lambda: client.fetch_tickers([SYMBOL, "ETH/USDT"]))
step("last_prices", lambda: client.fetch_last_prices([SYMBOL]))
book = step("book_ticker", lambda: client.fetch_bids_asks([SYMBOL]))[SYMBOL]
low = far_below(book["bid"])
high = near_above(book["ask"])

# --- An order's life
step("account", client.fetch_balance)
step(
    "test_order",
    lambda: client.create_order(SYMBOL, "limit", "buy", 0.001, float(low), {"test": True}),
)
placed = step("place", lambda: client.create_limit_buy_order(SYMBOL, 0.001, float(low)))
step("query", lambda: client.fetch_order(placed["id"], SYMBOL))
step("open_orders", lambda: client.fetch_open_orders(SYMBOL))
edited = step(
    "edit", lambda: client.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.002, float(low))
)
step("cancel", lambda: client.cancel_order(edited["id"], SYMBOL))
step("query_cancelled", lambda: client.fetch_order(edited["id"], SYMBOL))
step("small_amount", lambda: client.create_order(SYMBOL, "market", "buy", 0.0002))
step("market_buy", lambda: client.create_market_buy_order(SYMBOL, 0.01))
step("market_buy_quote", lambda: client.create_market_buy_order_with_cost(SYMBOL, 100))
step("market_sell", lambda: client.create_market_sell_order(SYMBOL, 0.005))
step(
    "place_post_only",
    lambda: client.create_order(SYMBOL, "limit", "buy", 0.001, float(low), {"postOnly": True}),
)
step("cancel_all", lambda: client.cancel_all_orders(SYMBOL))
step("my_trades", lambda: client.fetch_my_trades(SYMBOL))
step("all_orders", lambda: client.fetch_orders(SYMBOL))
step("order_limits", client.private_get_ratelimit_order)

# --- Refusals. ccxt rounds to tick and step by itself, so those go by its raw method.
raw = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": low,
}
step("bad_tick", lambda: client.private_post_order(raw | {"price": off_tick(low)}))
step("bad_lot", lambda: client.private_post_order(raw | {"quantity": "0.001005"}))
step("small_value", lambda: client.create_limit_buy_order(SYMBOL, 0.00001, float(low)))
step("small_float", lambda: client.private_post_order(raw | {"quantity": 0.00001}))
step("no_funds", lambda: client.create_limit_sell_order(SYMBOL, 10.5, float(high)))
step(
    "would_take",
    lambda: client.create_order(SYMBOL, "limit", "buy", 0.001, float(high), {"postOnly": True}),
)
step("cancel_unknown", lambda: client.cancel_order("999999999", SYMBOL))
step("cancel_again", lambda: client.cancel_order(edited["id"], SYMBOL))
step("query_unknown", lambda: client.fetch_order("999999999", SYMBOL))
step("unknown_symbol_here", lambda: client.fetch_order_book("NO/SUCH"))
step("unknown_symbol", lambda: client.public_get_depth({"symbol": "NOSUCH"}))
step("unknown_path", lambda: client.public_get_ticker_tradingday({"symbol": "BTCUSDT"}))
client.options["timeDifference"] = 60_000
step("clock_behind", lambda: client.create_limit_buy_order(SYMBOL, 0.001, float(low)))
client.options["timeDifference"] = -5_000
step("clock_ahead", lambda: client.create_limit_buy_order(SYMBOL, 0.001, float(low)))
client.options["timeDifference"] = 0
forger = exchange(given.free.name, "wrong" + given.free.secret[5:])
step("bad_signature", forger.private_get_account)
stranger = exchange("no" + given.free.name[2:], given.free.secret)
step("unknown_key", stranger.private_get_account)
client.apiKey = "no" + given.free.name[2:]
step("unknown_key_later", client.private_get_account)
client.apiKey = given.free.name
stopped = exchange(given.stopped.name, given.stopped.secret)
step("stopped", lambda: stopped.create_limit_buy_order(SYMBOL, 0.001, float(low)))


def sign_with(kind: str, key: Key) -> None:
    """Read, place and cancel with a key that signs with a private key."""
    signer = exchange(key.name, key.secret)
    step(f"{kind}_account", signer.fetch_balance)
    step(f"{kind}_place", lambda: signer.create_limit_buy_order(SYMBOL, 0.001, float(low)))
    step(f"{kind}_cancel_all", lambda: signer.cancel_all_orders(SYMBOL))


sign_with("rsa", given.rsa)
sign_with("ed25519", given.ed25519)

# --- Too many orders: those that never rest use up the order count and nothing else
immediate = raw | {"timeInForce": "IOC"}
journal.until_refused("too_many_orders", lambda: client.private_post_order(immediate), 1_000)
step("query_after_limit", lambda: client.fetch_open_orders(SYMBOL))
journal.until(
    "banned",
    lambda: "418" in journal.error("banned").get("message", ""),
    lambda: client.private_post_order(immediate),
)
step("while_banned", client.fetch_time)
journal.print()
