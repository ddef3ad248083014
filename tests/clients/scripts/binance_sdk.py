"""binance-sdk-spot against a gate: `python binance_sdk.py ARGUMENTS`."""

import logging
from typing import Any

from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_spot.spot import Spot
from journal import SYMBOL, Journal, Key, arguments, far_below, near_above, off_tick, wrong_clock

given = arguments()


class Warnings(logging.Handler):
    """Keeps what the SDK warns of: it logs where an answer does not fit its models."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


warnings = Warnings()
logging.getLogger().addHandler(warnings)


def connected(key: str, secret: str | None = None, private_key: str | None = None) -> Any:
    """Return the SDK's REST client of a key."""
    settings = ConfigurationRestAPI(
        api_key=key, api_secret=secret, private_key=private_key, base_path=given.base_url
    )
    return Spot(config_rest_api=settings).rest_api


client = connected(given.free.name, given.free.secret)
latest: dict[str, Any] = {"headers": {}}


def data(answer: Any) -> Any:
    """Return the data of an answer in plain types; the headers are kept for the journal."""
    latest["headers"] = dict(answer.headers)
    latest["rate_limits"] = [limit.model_dump() for limit in answer.rate_limits]
    return _plain(answer.data())


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def describe(error: Exception) -> dict[str, Any]:
    # The SDK calls the venue's code `status_code`.
    latest["headers"] = {}
    return {
        "code": getattr(error, "status_code", None),
        "text": getattr(error, "error_message", ""),
        "retry_after": getattr(error, "retry_after", None),
    }


journal = Journal(describe, lambda: latest["headers"])


def step(name: str, call: Any) -> Any:
    return journal.step(name, lambda: data(call()))


# --- The market
step("ping", client.ping)
step("time", client.time)
step("exchange_info", lambda: client.exchange_info(symbol=SYMBOL))
step("depth", lambda: client.depth(SYMBOL, limit=10))
journal.until_something("trades", lambda: data(client.get_trades(SYMBOL, limit=10)))
step("agg_trades", lambda: client.agg_trades(SYMBOL, limit=10))
step("klines", lambda: client.klines(SYMBOL, "1m", limit=1000))
step("ticker_24hr", lambda: client.ticker24hr(symbol=SYMBOL))
step("ticker_price", lambda: client.ticker_price(symbol=SYMBOL))
step("avg_price", lambda: client.avg_price(SYMBOL))
step("book_ticker", lambda: client.ticker_book_ticker(symbol=SYMBOL))
book = client.ticker_book_ticker(symbol=SYMBOL).data().actual_instance
low = far_below(book.bid_price)
high = near_above(book.ask_price)

# --- An order's life
step("account", client.get_account)
limit = {"time_in_force": "GTC", "quantity": 0.001, "price": float(low)}
step("test_order", lambda: client.order_test(SYMBOL, "BUY", "LIMIT", **limit))
placed = step("place", lambda: client.new_order(SYMBOL, "BUY", "LIMIT", **limit))
journal.note("rate_limits", latest["rate_limits"])
order_id = placed["orderId"]
step("query", lambda: client.get_order(SYMBOL, order_id=order_id))
step("open_orders", lambda: client.get_open_orders(SYMBOL))
replaced = step(
    "replace",
    lambda: client.order_cancel_replace(
        SYMBOL, "BUY", "LIMIT", "STOP_ON_FAILURE", cancel_order_id=order_id,
        time_in_force="GTC", quantity=0.002, price=float(low),
    ),
)  # fmt: skip
order_id = replaced["newOrderResponse"]["orderId"]
step("cancel", lambda: client.delete_order(SYMBOL, order_id=order_id))
step("query_cancelled", lambda: client.get_order(SYMBOL, order_id=order_id))
step("market_buy", lambda: client.new_order(SYMBOL, "BUY", "MARKET", quantity=0.01))
step("market_sell", lambda: client.new_order(SYMBOL, "SELL", "MARKET", quantity=0.005))
step("my_trades", lambda: client.my_trades(SYMBOL))
step("all_orders", lambda: client.all_orders(SYMBOL))
step("order_limits", client.rate_limit_order)
step("commission", lambda: client.account_commission(SYMBOL))

# --- Refusals


def buy(**changed: Any) -> Any:
    return client.new_order(SYMBOL, "BUY", "LIMIT", **limit | changed)


step("bad_tick", lambda: buy(price=float(off_tick(low))))
step("bad_lot", lambda: buy(quantity=0.001005))
step("small_float", lambda: buy(quantity=0.00001))
step(
    "no_funds",
    lambda: client.new_order(
        SYMBOL, "SELL", "LIMIT", time_in_force="GTC", quantity=10.5, price=float(high)
    ),
)
step("cancel_unknown", lambda: client.delete_order(SYMBOL, order_id=999_999_999))
step("cancel_again", lambda: client.delete_order(SYMBOL, order_id=order_id))
step("query_unknown", lambda: client.get_order(SYMBOL, order_id=999_999_999))
step("unknown_symbol", lambda: client.depth("NOSUCH"))
step("unknown_path", lambda: client.ticker(symbol=SYMBOL))
with wrong_clock(-60):
    step("clock_behind", buy)
with wrong_clock(5):
    step("clock_ahead", buy)
step("bad_signature", connected(given.free.name, "wrong" + given.free.secret[5:]).get_account)
step("unknown_key", connected("no" + given.free.name[2:], given.free.secret).get_account)
stopped = connected(given.stopped.name, given.stopped.secret)
step("stopped", lambda: stopped.new_order(SYMBOL, "BUY", "LIMIT", **limit))


def sign_with(kind: str, key: Key) -> None:
    """Read, place and cancel with a key that signs with a private key."""
    signer = connected(key.name, private_key=key.secret)
    step(f"{kind}_account", signer.get_account)
    step(f"{kind}_place", lambda: signer.new_order(SYMBOL, "BUY", "LIMIT", **limit))
    step(f"{kind}_cancel_all", lambda: signer.delete_open_orders(SYMBOL))


sign_with("rsa", given.rsa)
sign_with("ed25519", given.ed25519)

# --- Too many orders: those that never rest use up the order count and nothing else
immediate = limit | {"time_in_force": "IOC"}


def immediate_order() -> Any:
    return data(client.new_order(SYMBOL, "BUY", "LIMIT", **immediate))


journal.until_refused("too_many_orders", immediate_order, 1_000)
step("query_after_limit", lambda: client.get_open_orders(SYMBOL))
journal.until(
    "banned",
    lambda: journal.error("banned").get("class") == "RateLimitBanError",
    immediate_order,
)
journal.note("warnings", warnings.texts)
journal.print()
