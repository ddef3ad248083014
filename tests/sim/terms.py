"""What the limits on an order's own terms must say: price, quantity, size and value.

Worked out from the texts of the rulebook, in whole numbers. Judged both ways, for orders with a
price and a quantity; where a limit is not enforced it must refuse nothing.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from rules.decisions import Decision
from rules.events import Event, Place, Replace
from rules.reasons import Reason
from rules.registry import mode_of
from rules.rulebook import Rulebook
from rules.values import E8, LIMIT, LIMIT_MAKER, SELL
from tests.sim.participants import SYMBOL_NAMES
from tests.sim.rates import reached_limits

_RULE_OF: Final = {
    Reason.PRICE_MIN: "price_filter",
    Reason.PRICE_MAX: "price_filter",
    Reason.PRICE_TICK: "price_filter",
    Reason.QUANTITY_MIN: "lot_size",
    Reason.QUANTITY_MAX: "lot_size",
    Reason.QUANTITY_STEP: "lot_size",
    Reason.NOTIONAL_MIN: "notional",
    Reason.NOTIONAL_MAX: "notional",
    Reason.MIN_NOTIONAL: "min_notional",
    Reason.ORDER_SIZE: "order_size",
    Reason.ORDER_VALUE: "order_value",
}


class TermsModel:
    """What each symbol allows of an order's terms."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._instruments = {
            symbol: rulebook.instrument(name) for symbol, name in SYMBOL_NAMES.items()
        }
        self._enforced = {
            reason for reason, rule in _RULE_OF.items() if mode_of(rulebook, rule) == "enforce"
        }

    def judge(self, event: Event, decision: Decision, now_ns: int) -> Iterator[str]:
        """Yield what is wrong with a decision on a new order."""
        if not isinstance(event, Place | Replace) or not reached_limits(decision):
            return
        if event.order_type not in (LIMIT, LIMIT_MAKER):
            return
        over: dict[str, Reason] = {}
        for reason in self._over(event.symbol, event.price_e8, event.quantity_e8):
            if reason in self._enforced:
                # A rule tells the first thing that is wrong.
                over.setdefault(_RULE_OF[reason], reason)
        told = {
            _RULE_OF[one.reason]: one.reason for one in decision.breaches if one.reason in _RULE_OF
        }
        if event.side == SELL and "order_value" in told:
            # It may be worth more than its price says; the market is not known here.
            over.setdefault("order_value", told["order_value"])
        if told != over:
            yield f"told {told} of the terms of an order that are over {over}"

    def _over(self, symbol: int, price_e8: int, quantity_e8: int) -> list[Reason]:
        """Return the limits that an order's terms are over."""
        terms: Any = self._instruments[symbol]
        value = price_e8 * quantity_e8
        """In units of 1e-16."""
        found = {
            Reason.PRICE_MIN: price_e8 < _e8(terms.min_price),
            Reason.PRICE_MAX: price_e8 > _e8(terms.max_price),
            Reason.PRICE_TICK: (price_e8 - _e8(terms.min_price)) % _e8(terms.tick_size) > 0,
            Reason.QUANTITY_MIN: quantity_e8 < _e8(terms.min_quantity),
            Reason.QUANTITY_MAX: quantity_e8 > _e8(terms.max_quantity),
            Reason.QUANTITY_STEP: (quantity_e8 - _e8(terms.min_quantity)) % _e8(terms.step_size)
            > 0,
            Reason.NOTIONAL_MIN: value < _e8(terms.notional_min) * E8,
            Reason.NOTIONAL_MAX: value > _e8(terms.notional_max) * E8,
            Reason.MIN_NOTIONAL: value < _e8(terms.min_notional) * E8,
            Reason.ORDER_SIZE: 0 < _e8(terms.max_order_quantity) < quantity_e8,
            Reason.ORDER_VALUE: 0 < _e8(terms.max_order_value) * E8 < value,
        }
        return [reason for reason, over in found.items() if over]


def _e8(text: str) -> int:
    """Return an amount in units of 1e-8."""
    return int(Decimal(text or 0) * E8)
