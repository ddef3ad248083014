"""Answers to queries of an account."""

from typing import Any, Final

from gateway.dialects.binance.order_answers import (
    NO_DISCOUNT,
    NO_LIST,
    amount,
    commission_rates,
    order_object,
    order_objects,
)
from gateway.dialects.binance.reading import Desk, Failure
from gateway.dialects.binance.windows import window_parts
from gateway.outcome import Outcome
from rules.events import Query
from rules.values import PERMIT_TRADE, SCOPE_ACCOUNT

_PPM_PER_BASIS_POINT: Final = 100


def _query(outcome: Outcome) -> Query:
    assert isinstance(outcome.event, Query)
    return outcome.event


def order(desk: Desk, outcome: Outcome) -> Any:
    """Answer the query of one order."""
    asked = _query(outcome)
    view = None
    if asked.order_id or asked.client_order_id:
        view = desk.views.orders.get(
            desk.account(outcome), asked.symbol, asked.order_id, asked.client_order_id
        )
    if view is None:
        return Failure(400, -2013, "Order does not exist.")
    return order_object(desk, view)


def open_orders(desk: Desk, outcome: Outcome) -> Any:
    """Answer the query of open orders, of one symbol or of all."""
    views = desk.views.orders.open(desk.account(outcome), _query(outcome).symbol)
    return order_objects(desk, views)


def all_orders(
    desk: Desk, outcome: Outcome, *, from_order_id: int, start_ns: int, end_ns: int, limit: int
) -> Any:
    """Answer the query of all orders of a symbol."""
    symbol = _query(outcome).symbol
    views = desk.views.orders.all(
        desk.account(outcome), symbol, from_order_id, start_ns, end_ns, limit
    )
    return order_objects(desk, views)


def my_trades(
    desk: Desk, outcome: Outcome, *, from_trade_id: int, start_ns: int, end_ns: int, limit: int
) -> Any:
    """Answer the query of the account's trades of a symbol."""
    asked = _query(outcome)
    trades = desk.views.trades.of_account(
        desk.account(outcome),
        asked.symbol,
        asked.order_id,
        from_trade_id,
        start_ns,
        end_ns,
        limit,
    )
    return [
        {
            "symbol": desk.symbol_name(trade.symbol),
            "id": trade.trade_id,
            "orderId": trade.order_id,
            "orderListId": NO_LIST,
            "price": amount(trade.price_e8),
            "qty": amount(trade.quantity_e8),
            "quoteQty": amount(trade.quote_e8),
            "commission": amount(trade.commission_e8),
            "commissionAsset": desk.core.directory.asset_name(trade.commission_asset),
            "time": desk.time(trade.time_ns),
            "isBuyer": trade.is_buyer,
            "isMaker": trade.is_maker,
            "isBestMatch": True,
        }
        for trade in trades
    ]


def account(desk: Desk, outcome: Outcome, *, omit_zero: bool) -> Any:
    """Answer the query of the account: what it may do, its commissions and its balances."""
    number = desk.account(outcome)
    directory = desk.core.directory
    definition = directory.accounts_by_number.get(number)
    key = directory.keys_by_number.get(_query(outcome).key)
    enabled = definition is not None and definition.enabled
    symbols = desk.core.book.symbols.values()
    maker_ppm = max((facts.maker_commission_ppm for facts in symbols), default=0)
    taker_ppm = max((facts.taker_commission_ppm for facts in symbols), default=0)
    balances = desk.views.balances.of_account(number)
    return {
        "makerCommission": maker_ppm // _PPM_PER_BASIS_POINT,
        "takerCommission": taker_ppm // _PPM_PER_BASIS_POINT,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": amount(maker_ppm * 100),
            "taker": amount(taker_ppm * 100),
            "buyer": amount(0),
            "seller": amount(0),
        },
        "canTrade": enabled and key is not None and bool(key.permissions & PERMIT_TRADE),
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": desk.time(outcome.now_ns),
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": amount(free_e8), "locked": amount(locked_e8)}
            for asset, free_e8, locked_e8 in balances
            if free_e8 or locked_e8 or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": number,
    }


def commission(desk: Desk, outcome: Outcome) -> Any:
    """Answer the query of a symbol's commission rates."""
    symbol = _query(outcome).symbol
    none = {side: amount(0) for side in ("maker", "taker", "buyer", "seller")}
    return {
        "symbol": desk.symbol_name(symbol),
        "standardCommission": commission_rates(desk, symbol),
        "specialCommission": none,
        "taxCommission": none,
        "discount": NO_DISCOUNT,
    }


def rate_limit_order(desk: Desk, outcome: Outcome) -> Any:
    """Answer the query of the account's order counts."""
    account_number = desk.account(outcome)
    usages = desk.core.pipeline.usage(
        "order_count", SCOPE_ACCOUNT, account_number, desk.core.now_ns()
    )
    return [
        {
            "rateLimitType": "ORDERS",
            "interval": interval,
            "intervalNum": number,
            "limit": usage.limit,
            "count": usage.used,
        }
        for usage in usages
        for interval, number in (window_parts(usage.window_ns),)
    ]


def empty_list(_desk: Desk, _outcome: Outcome) -> Any:
    """Answer the query of something this venue has none of."""
    return []
