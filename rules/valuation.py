"""What an order could cost at its worst: reference price, price bounds, reservation.

Market orders have no price of their own; here they get the worst one the gate lets them reach,
never 0. Without a usable reference there is no such price, and whoever asks must refuse.

A stop order is measured from its trigger price, because that is where the market will be when it
becomes active. Where it would become active at once, it is measured from the market's reference.
"""

from typing import Final

from rules.book import SymbolFacts
from rules.clauses import RuleClauses
from rules.units import decimal_e8, duration_ns
from rules.values import (
    BUY,
    E8,
    LIMIT_MAKER,
    MARKET,
    SELL,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    notional_up_e8,
)

REFERENCE_NONE: Final = 0
REFERENCE_LAST: Final = 1
REFERENCE_MID: Final = 2
REFERENCE_PREVIOUS_CLOSE: Final = 3
REFERENCE_STALE_LAST: Final = 4
REFERENCE_NAMES: Final = ("none", "last", "mid", "previous close", "stale last")

UNBOUNDED: Final = -1
"""Amount of a reservation that has no bound."""

UNPRICED: Final = frozenset((MARKET, STOP_LOSS, TAKE_PROFIT))
"""Order types without a price of their own: stop orders of these become market orders."""

STOPS: Final = frozenset((STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT))
"""Order types that wait for a trigger price."""
_STOP_LOSSES: Final = frozenset((STOP_LOSS, STOP_LOSS_LIMIT))


class Valuation:
    """Reference waterfall and price bounds, compiled from the collar's and protection's clauses.

    `capped_by` names the one rule that makes the engine keep to the bound of market orders: the
    first of market_protection, price_collar and balance that is enforced; empty when none is.
    """

    __slots__ = (
        "aggressive_e8",
        "capped_by",
        "last_max_age_ns",
        "passive_e8",
        "previous_close",
        "protection_e8",
        "quote_max_age_ns",
        "stale_last",
    )

    def __init__(self, clauses: RuleClauses) -> None:
        collar = clauses.price_collar
        self.aggressive_e8 = decimal_e8(collar.aggressive)
        self.passive_e8 = decimal_e8(collar.passive)
        self.last_max_age_ns = duration_ns(collar.last_max_age)
        self.quote_max_age_ns = duration_ns(collar.quote_max_age)
        self.previous_close = collar.previous_close
        self.stale_last = collar.stale_last
        protection = clauses.market_protection
        if protection.mode == "enforce":
            self.protection_e8 = decimal_e8(protection.distance)
            self.capped_by = "market_protection"
        else:
            self.protection_e8 = self.aggressive_e8
            if collar.mode == "enforce":
                self.capped_by = "price_collar"
            else:
                self.capped_by = "balance" if clauses.balance.mode == "enforce" else ""

    def reference(self, facts: SymbolFacts, now_ns: int) -> tuple[int, int]:
        """Return (price in 1e-8, kind of reference); (0, REFERENCE_NONE) when there is none.

        Waterfall: the last trade if young enough, the mid of best bid and offer (rounded down to
        1e-8) if young enough, the previous close before the first trade, the last trade at any age;
        the latter two where the collar's clause allows them.
        """
        if facts.last_e8 and now_ns - facts.last_ns <= self.last_max_age_ns:
            return facts.last_e8, REFERENCE_LAST
        if facts.bid_e8 and facts.ask_e8 and now_ns - facts.quote_ns <= self.quote_max_age_ns:
            return (facts.bid_e8 + facts.ask_e8) // 2, REFERENCE_MID
        if self.previous_close and facts.previous_close_e8 and not facts.last_e8:
            return facts.previous_close_e8, REFERENCE_PREVIOUS_CLOSE
        if self.stale_last and facts.last_e8:
            return facts.last_e8, REFERENCE_STALE_LAST
        return 0, REFERENCE_NONE

    def reference_e8(self, facts: SymbolFacts, now_ns: int) -> int:
        """Return the reference price alone, 0 when there is none."""
        if facts.last_e8 and now_ns - facts.last_ns <= self.last_max_age_ns:
            return facts.last_e8
        return self.reference(facts, now_ns)[0]

    def basis_e8(
        self, side: int, order_type: int, stop_price_e8: int, facts: SymbolFacts, now_ns: int
    ) -> int:
        """Return the price an order's bounds are measured from, 0 when there is no reference.

        This is the reference, or the trigger price of a stop order that has yet to wait for it: a
        stop-loss buy and a take-profit sell wait for the market to rise, the others for a fall.
        """
        reference_e8 = self.reference_e8(facts, now_ns)
        if order_type not in STOPS or stop_price_e8 <= 0 or not reference_e8:
            return reference_e8
        if (side == BUY) == (order_type in _STOP_LOSSES):
            return max(stop_price_e8, reference_e8)
        return min(stop_price_e8, reference_e8)

    def market_limit_e8(
        self,
        side: int,
        facts: SymbolFacts,
        now_ns: int,
        order_type: int = MARKET,
        stop_price_e8: int = 0,
    ) -> int:
        """Return the worst price an unpriced order may reach, 0 when there is no reference.

        It is a multiple of the tick where one lies between the bound and what is better; it is
        never further away than the bound, and never 0, which would mean no limit.
        """
        basis_e8 = self.basis_e8(side, order_type, stop_price_e8, facts, now_ns)
        if not basis_e8:
            return 0
        tick_e8 = facts.filters.tick_e8
        if side == BUY:
            bound_e8 = basis_e8 * (E8 + self.protection_e8) // E8
            return bound_e8 - bound_e8 % tick_e8 if 0 < tick_e8 <= bound_e8 else bound_e8
        bound_e8 = max(1, -(-basis_e8 * (E8 - self.protection_e8) // E8))
        return -(-bound_e8 // tick_e8) * tick_e8 if tick_e8 else bound_e8

    def worst_price_e8(
        self,
        side: int,
        order_type: int,
        price_e8: int,
        facts: SymbolFacts,
        now_ns: int,
        stop_price_e8: int = 0,
    ) -> int:
        """Return the highest price one unit of the order could be executed at, 0 if unknown.

        A buy never executes above its price or its market limit. A sell may execute above its
        price, at the best bid, and is valued at the higher of the two. A sell without a price is
        valued at the upper bound, since the best bid the gate knows may be older than the market.
        """
        if order_type in UNPRICED:
            if side == BUY:
                return self.market_limit_e8(side, facts, now_ns, order_type, stop_price_e8)
            basis_e8 = self.basis_e8(side, order_type, stop_price_e8, facts, now_ns)
            if not basis_e8:
                return 0
            return max(facts.bid_e8, -(-basis_e8 * (E8 + self.protection_e8) // E8))
        if side == BUY or order_type == LIMIT_MAKER:
            return price_e8
        return max(price_e8, facts.bid_e8)

    def lowest_price_e8(self, side: int, facts: SymbolFacts, now_ns: int) -> int:
        """Return the lowest price a market order could be executed at, 0 if unknown.

        For an amount of quote asset it is the price that buys or sells the most. A sell never
        executes below its market limit. A buy may, at the best offer; the lower of the two counts.
        """
        lowest_e8 = self.market_limit_e8(SELL, facts, now_ns)
        if side == BUY and facts.ask_e8:
            return min(lowest_e8, facts.ask_e8)
        return lowest_e8

    def reservation(
        self,
        side: int,
        order_type: int,
        price_e8: int,
        quantity_e8: int,
        quote_quantity_e8: int,
        facts: SymbolFacts,
        now_ns: int,
        stop_price_e8: int = 0,
    ) -> tuple[int, int]:
        """Return (asset, amount in 1e-8) to hold for an order; amount UNBOUNDED without a bound.

        The amount is rounded up. It covers whatever the order may spend as long as the engine
        keeps to `market_limit_e8`; commission is taken from what is received.
        """
        if side == BUY:
            if quote_quantity_e8:
                return facts.quote_asset, quote_quantity_e8
            if order_type in UNPRICED:
                price_e8 = self.market_limit_e8(side, facts, now_ns, order_type, stop_price_e8)
                if not price_e8:
                    return facts.quote_asset, UNBOUNDED
            return facts.quote_asset, notional_up_e8(price_e8, quantity_e8)
        if quantity_e8:
            return facts.base_asset, quantity_e8
        floor_e8 = self.market_limit_e8(side, facts, now_ns, order_type, stop_price_e8)
        if not floor_e8:
            return facts.base_asset, UNBOUNDED
        return facts.base_asset, -(-quote_quantity_e8 * E8 // floor_e8)
