"""What an order could cost at its worst: reference price, collar bounds, reservation.

Market orders have no price of their own; here they get the worst one the gate lets them reach,
never 0. Without a usable reference there is no such price, and whoever asks must refuse.
"""

from typing import Final

from rules.book import SymbolFacts
from rules.clauses import RuleClauses
from rules.units import decimal_e8, duration_ns
from rules.values import BUY, E8, LIMIT_MAKER, MARKET, notional_up_e8

REFERENCE_NONE: Final = 0
REFERENCE_LAST: Final = 1
REFERENCE_MID: Final = 2
REFERENCE_PREVIOUS_CLOSE: Final = 3
REFERENCE_NAMES: Final = ("none", "last", "mid", "previous close")


class Valuation:
    """Reference waterfall and price bounds, compiled from the collar's and protection's clauses."""

    __slots__ = (
        "aggressive_e8",
        "last_max_age_ns",
        "passive_e8",
        "previous_close",
        "protection_e8",
        "quote_max_age_ns",
    )

    def __init__(self, clauses: RuleClauses) -> None:
        collar = clauses.price_collar
        self.aggressive_e8 = decimal_e8(collar.aggressive)
        self.passive_e8 = decimal_e8(collar.passive)
        self.last_max_age_ns = duration_ns(collar.last_max_age)
        self.quote_max_age_ns = duration_ns(collar.quote_max_age)
        self.previous_close = collar.previous_close
        protection = clauses.market_protection
        self.protection_e8 = (
            self.aggressive_e8 if protection.mode == "off" else decimal_e8(protection.distance)
        )

    def reference(self, facts: SymbolFacts, now_ns: int) -> tuple[int, int]:
        """Return (price in 1e-8, kind of reference); (0, REFERENCE_NONE) when there is none.

        Waterfall: the last trade if young enough, the mid of best bid and offer if young enough,
        the previous close before the first trade.
        """
        if facts.last_e8 and now_ns - facts.last_ns <= self.last_max_age_ns:
            return facts.last_e8, REFERENCE_LAST
        if facts.bid_e8 and facts.ask_e8 and now_ns - facts.quote_ns <= self.quote_max_age_ns:
            return (facts.bid_e8 + facts.ask_e8) // 2, REFERENCE_MID
        if self.previous_close and facts.previous_close_e8 and not facts.last_e8:
            return facts.previous_close_e8, REFERENCE_PREVIOUS_CLOSE
        return 0, REFERENCE_NONE

    def market_limit_e8(self, side: int, facts: SymbolFacts, now_ns: int) -> int:
        """Return the worst price a market order may reach, 0 when there is no reference."""
        reference_e8, _ = self.reference(facts, now_ns)
        if side == BUY:
            return reference_e8 * (E8 + self.protection_e8) // E8
        return -(-reference_e8 * (E8 - self.protection_e8) // E8)

    def worst_price_e8(
        self, side: int, order_type: int, price_e8: int, facts: SymbolFacts, now_ns: int
    ) -> int:
        """Return the highest price one unit of the order could be executed at, 0 if unknown.

        A buy never executes above its price or its market limit. A sell may execute above its
        price, at the best bid; it is valued at the higher of the two.
        """
        if side == BUY:
            if order_type != MARKET:
                return price_e8
            return self.market_limit_e8(side, facts, now_ns)
        if order_type == LIMIT_MAKER:
            return price_e8
        if order_type == MARKET:
            reference_e8, _ = self.reference(facts, now_ns)
            return max(reference_e8, facts.bid_e8) if reference_e8 else 0
        return max(price_e8, facts.bid_e8)

    def reservation(
        self,
        side: int,
        order_type: int,
        price_e8: int,
        quantity_e8: int,
        quote_quantity_e8: int,
        facts: SymbolFacts,
        now_ns: int,
    ) -> tuple[int, int]:
        """Return (asset, amount in 1e-8) to hold for an order; amount -1 when it has no bound."""
        if side == BUY:
            if quote_quantity_e8:
                return facts.quote_asset, quote_quantity_e8
            if order_type == MARKET:
                price_e8 = self.market_limit_e8(side, facts, now_ns)
                if not price_e8:
                    return facts.quote_asset, -1
            return facts.quote_asset, notional_up_e8(price_e8, quantity_e8)
        if quantity_e8:
            return facts.base_asset, quantity_e8
        floor_e8 = self.market_limit_e8(side, facts, now_ns)
        if not floor_e8:
            return facts.base_asset, -1
        return facts.base_asset, -(-quote_quantity_e8 * E8 // floor_e8)
