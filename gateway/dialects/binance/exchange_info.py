"""`GET /api/v3/exchangeInfo`, made from the rulebook in force."""

from collections.abc import Iterable
from typing import Any, Final

from gateway.dialects.binance.order_answers import amount
from gateway.dialects.binance.reading import Desk
from gateway.dialects.binance.windows import window_parts
from gateway.outcome import Outcome
from rules.clauses import Clause, WindowClause
from rules.events import DefineSymbol, Request
from rules.instruments import Filters
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import MARKET, ORDER_TYPE_NAMES, STP_MODE_NAMES, SYMBOL_STATE_NAMES

_PRECISION: Final = 8
_STATE_NAMES: Final = {"AUCTION": "AUCTION_MATCH"}
"""States that Binance names otherwise than the record."""


def exchange_info(
    desk: Desk, outcome: Outcome, *, symbols: list[DefineSymbol], permission_sets: bool
) -> Any:
    """Answer with limits, and with filters and properties of `symbols`."""
    assert isinstance(outcome.event, Request)
    rulebook = desk.core.rulebook
    return {
        "timezone": "UTC",
        "serverTime": desk.time(outcome.event.received_ns),
        "rateLimits": rate_limits(rulebook),
        "exchangeFilters": [],
        "symbols": [_symbol(desk, definition, permission_sets) for definition in symbols],
    }


def rate_limits(rulebook: Rulebook) -> list[dict[str, Any]]:
    """Return the limits that are enforced."""
    clauses = rulebook.clauses
    tables: tuple[tuple[str, Clause, Iterable[WindowClause]], ...] = (
        ("REQUEST_WEIGHT", clauses.request_weight, clauses.request_weight.windows),
        ("ORDERS", clauses.order_count, clauses.order_count.windows),
        ("RAW_REQUESTS", clauses.raw_requests, clauses.raw_requests.windows),
    )
    found = []
    for kind, clause, windows in tables:
        if clause.mode != "enforce":
            continue
        for window in windows:
            interval, number = window_parts(duration_ns(window.interval))
            found.append(
                {
                    "rateLimitType": kind,
                    "interval": interval,
                    "intervalNum": number,
                    "limit": window.limit,
                }
            )
    return found


def status_name(desk: Desk, symbol: int) -> str:
    """Return the state of a symbol as Binance names it."""
    name = SYMBOL_STATE_NAMES[desk.core.book.symbols[symbol].state]
    return _STATE_NAMES.get(name, name)


def _symbol(desk: Desk, definition: DefineSymbol, permission_sets: bool) -> dict[str, Any]:
    rulebook = desk.core.rulebook
    filters = rulebook.filters(definition.name)
    directory = desk.core.directory
    return {
        "symbol": definition.name,
        "status": status_name(desk, definition.symbol),
        "baseAsset": directory.asset_name(definition.base_asset),
        "baseAssetPrecision": _PRECISION,
        "quoteAsset": directory.asset_name(definition.quote_asset),
        "quotePrecision": _PRECISION,
        "quoteAssetPrecision": _PRECISION,
        "baseCommissionPrecision": _PRECISION,
        "quoteCommissionPrecision": _PRECISION,
        "orderTypes": [ORDER_TYPE_NAMES[order_type] for order_type in filters.order_types],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": MARKET in filters.order_types,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": symbol_filters(rulebook, filters),
        "permissions": [],
        "permissionSets": [["SPOT"]] if permission_sets else [],
        "defaultSelfTradePreventionMode": STP_MODE_NAMES[filters.default_stp_mode],
        "allowedSelfTradePreventionModes": [STP_MODE_NAMES[mode] for mode in filters.stp_modes],
    }


def symbol_filters(rulebook: Rulebook, filters: Filters) -> list[dict[str, Any]]:
    """Return the filters of a symbol whose rules are on."""
    clauses = rulebook.clauses
    tables: tuple[tuple[Clause, dict[str, Any]], ...] = (
        (clauses.price_filter, _price_filter(filters)),
        (clauses.lot_size, _lot_size(filters)),
        (clauses.market_lot_size, _market_lot_size(filters)),
        (clauses.min_notional, _min_notional(filters)),
        (clauses.notional, _notional(filters)),
        (clauses.percent_price, _percent_price(filters)),
        (clauses.percent_price_by_side, _percent_price_by_side(filters)),
        (clauses.max_num_orders, _max_num_orders(filters)),
    )
    return [shown for clause, shown in tables if clause.mode != "off"]


def _price_filter(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "PRICE_FILTER",
        "minPrice": amount(filters.min_price_e8),
        "maxPrice": amount(filters.max_price_e8),
        "tickSize": amount(filters.tick_e8),
    }


def _lot_size(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "LOT_SIZE",
        "minQty": amount(filters.min_quantity_e8),
        "maxQty": amount(filters.max_quantity_e8),
        "stepSize": amount(filters.step_e8),
    }


def _market_lot_size(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "MARKET_LOT_SIZE",
        "minQty": amount(filters.market_min_quantity_e8),
        "maxQty": amount(filters.market_max_quantity_e8),
        "stepSize": amount(filters.market_step_e8),
    }


def _min_notional(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "MIN_NOTIONAL",
        "minNotional": amount(filters.min_notional_e8),
        "applyToMarket": filters.min_notional_applies_to_market,
        "avgPriceMins": filters.average_price_minutes,
    }


def _notional(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "NOTIONAL",
        "minNotional": amount(filters.notional_min_e8),
        "applyMinToMarket": filters.notional_min_applies_to_market,
        "maxNotional": amount(filters.notional_max_e8),
        "applyMaxToMarket": filters.notional_max_applies_to_market,
        "avgPriceMins": filters.average_price_minutes,
    }


def _percent_price(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "PERCENT_PRICE",
        "multiplierUp": amount(filters.percent_price_up_e8),
        "multiplierDown": amount(filters.percent_price_down_e8),
        "avgPriceMins": filters.average_price_minutes,
    }


def _percent_price_by_side(filters: Filters) -> dict[str, Any]:
    return {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": amount(filters.bid_multiplier_up_e8),
        "bidMultiplierDown": amount(filters.bid_multiplier_down_e8),
        "askMultiplierUp": amount(filters.ask_multiplier_up_e8),
        "askMultiplierDown": amount(filters.ask_multiplier_down_e8),
        "avgPriceMins": filters.average_price_minutes,
    }


def _max_num_orders(filters: Filters) -> dict[str, Any]:
    return {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": filters.max_num_orders}
