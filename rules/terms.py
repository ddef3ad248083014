"""The terms an order asks for, read in one way from a new order, a replacement and an amend.

`Place` and `Replace` carry their terms themselves; an amend's are those of the open order with the
changes laid over it. Also here: the price a venue's filters measure an order by.
"""

from typing import Final, TypeAlias

from rules.book import Book, OpenOrder, SymbolFacts
from rules.events import Amend, CommandResult, Place, Replace, TradeBust
from rules.fees.acts import distance_e8
from rules.values import BUY, E8, LIVE_STATUSES, SELL

NO_PRICE: Final = -1
"""Notional of a market order in a symbol that was never traded."""


class Amended:
    """An open order's terms as an amend would leave them."""

    __slots__ = (
        "order",
        "order_type",
        "price_changed",
        "price_e8",
        "quantity_changed",
        "quantity_e8",
        "quote_quantity_e8",
        "side",
        "symbol",
    )

    def __init__(self, event: Amend, order: OpenOrder) -> None:
        self.order = order
        self.symbol = order.symbol
        self.side = order.side
        self.order_type = order.order_type
        self.price_e8 = event.price_e8 or order.price_e8
        self.price_changed = self.price_e8 != order.price_e8
        self.quantity_e8 = event.quantity_e8 or order.quantity_e8
        self.quantity_changed = self.quantity_e8 != order.quantity_e8
        self.quote_quantity_e8 = 0 if self.quantity_e8 else order.quote_quantity_e8


Terms: TypeAlias = Place | Replace | Amended


def amended(event: Amend, book: Book) -> Amended | None:
    """Return the terms an amend leads to, None when it names no open order of the account."""
    order = book.find_order(
        book.account_of(event.key), event.symbol, event.order_id, event.orig_client_order_id
    )
    return Amended(event, order) if order is not None else None


def repriced(event: Amend, book: Book) -> Amended | None:
    """Return the terms an amend leads to, None when it keeps the price or names no open order."""
    terms = amended(event, book)
    return terms if terms is not None and terms.price_changed else None


def resized(event: Amend, book: Book) -> Amended | None:
    """Return the terms an amend leads to, None when it keeps the quantity or names no order."""
    terms = amended(event, book)
    return terms if terms is not None and terms.quantity_changed else None


def stop_price_e8(terms: Terms) -> int:
    """Return the trigger price of a new stop order, 0 for any other order."""
    return terms.stop_price_e8 if isinstance(terms, Place) else 0


def average_price_e8(facts: SymbolFacts, now_ns: int) -> int:
    """Return the price P of the venue's filters, 0 when the symbol was never traded.

    The average over the symbol's `average_price_minutes`, rounded down to 1e-8 as the venue
    publishes it; the last price where the minutes are 0 or nothing was traded in them; the
    previous close before the first trade.
    """
    minutes = facts.filters.average_price_minutes
    if minutes:
        average_e8 = facts.average.price_e8(minutes, now_ns)
        if average_e8:
            return average_e8
    return facts.last_e8 or facts.previous_close_e8


def market_notional_e16(terms: Terms, facts: SymbolFacts, now_ns: int) -> int:
    """Return the notional of an unpriced order at P in 1e-16 units, `NO_PRICE` without a P."""
    if terms.quote_quantity_e8:
        return terms.quote_quantity_e8 * E8
    price_e8 = average_price_e8(facts, now_ns)
    return price_e8 * terms.quantity_e8 if price_e8 else NO_PRICE


def only_takes_off(event: Amend, book: Book) -> bool:
    """Return whether an amend leaves the price and only lowers the quantity of an open order."""
    terms = amended(event, book)
    return (
        terms is not None
        and not terms.price_changed
        and terms.quantity_e8 < terms.order.quantity_e8
    )


def asked_e8(order: OpenOrder, result: CommandResult) -> int:
    """Return the total quantity an order was entered or amended with; 0 if given by its amount.

    What self-trade prevention took off with the result is off the book's quantity only where the
    order still stands.
    """
    if result.status in LIVE_STATUSES and order.quantity_e8:
        return order.quantity_e8 + result.prevented_e8
    return order.quantity_e8


def rest_expired(order: OpenOrder, result: CommandResult) -> bool:
    """Return whether a part of an order expired at once that self-trade prevention did not take."""
    executed_e8 = sum(fill.quantity_e8 for fill in result.fills)
    return order.quantity_e8 > executed_e8 + result.prevented_e8


def behind_best_e8(order: OpenOrder, facts: SymbolFacts) -> int:
    """Return how far an order is behind the best price of its side, as a share of it.

    0 where it is at or before it, the last price where the side is empty, `acts.UNKNOWN` without.
    """
    best_e8 = facts.bid_e8 if order.side == BUY else facts.ask_e8
    reference_e8 = best_e8 or facts.last_e8
    if order.price_e8 and reference_e8:
        ahead_e8 = order.price_e8 - reference_e8
        if ahead_e8 == 0 or (ahead_e8 > 0) == (order.side == BUY):
            return 0
    return distance_e8(order.price_e8, reference_e8)


def annulled_sides(bust: TradeBust) -> tuple[tuple[int, int], ...]:
    """Return account and side of those whose order came through the gate: only they were counted."""
    sides = (
        (bust.buy_account, BUY, bust.buy_channel),
        (bust.sell_account, SELL, bust.sell_channel),
    )
    return tuple((account, side) for account, side, channel in sides if account and not channel)
