"""The order named by a cancel, amend or replace must be open and the account's own."""

from typing import Any, Final

from rules.book import Book, OpenOrder
from rules.decisions import Explanation, Verdict
from rules.events import Amend, Cancel, Replace
from rules.explanations import first_breach, look
from rules.kinds import AMEND, REPLACE
from rules.reasons import Reason
from rules.rule import GATE, Rule
from rules.values import (
    ORDER_STATUS_NAMES,
    RESTRICT_NONE,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
)

_RESTRICTION_NAMES: Final = ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED")


class KnownOrder(Rule):
    """A cancel, amend or replace must name an open order of its account, and one it can change.

    The order id is looked up first; a client order id given beside it must be that order's. Orders
    of other accounts are unknown orders. A restriction to new or to partially filled orders is
    judged only for an order the engine has confirmed; for one in flight or of unknown fate the
    engine judges it. An amend must change price or quantity, and leave a quantity above what is
    filled; one that is to keep its priority may only take quantity off.

    A replace that allows its cancel to fail is not refused for an unknown order or a restriction:
    the engine answers for the cancel. It is refused when its two ids disagree, since either could
    be the one meant.
    """

    name = "known_order"
    stage = GATE
    reasons = (
        Reason.UNKNOWN_ORDER,
        Reason.ORDER_ID_MISMATCH,
        Reason.CANCEL_RESTRICTED,
        Reason.AMEND_NOT_REDUCING,
    )
    wants = (Cancel, Amend, Replace)
    source = "Binance Spot API, Cancel order, cancelReplace and Order Amend Keep Priority"

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the named order is not known, or can't be changed as asked."""
        order = _find(event, book)
        if order is not None:
            client_order_id = event.orig_client_order_id
            if not client_order_id or client_order_id == order.client_order_id:
                if type(event) is AMEND:
                    if _amends(event, order):
                        return None
                elif event.restriction == RESTRICT_NONE or _meets(event, order):
                    return None
        elif type(event) is REPLACE and event.allow_failure:
            return None
        return first_breach(self.explain(event, book, now_ns))

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the order asked for and the order found, then what it is asked to allow."""
        name = self.name
        order = _find(event, book)
        if order is None:
            passed = type(event) is REPLACE and event.allow_failure
            detail = event.orig_client_order_id
            return (look(name, passed, Reason.UNKNOWN_ORDER, 0, event.order_id, detail),)
        asked = event.orig_client_order_id or order.client_order_id
        agrees = asked == order.client_order_id
        looks = [
            look(name, True, Reason.UNKNOWN_ORDER, order.order_id, order.order_id),
            Explanation(
                rule=name,
                passed=agrees,
                reason=None if agrees else Reason.ORDER_ID_MISMATCH,
                limit=order.client_order_id,
                observed=asked,
            ),
        ]
        if type(event) is AMEND:
            looks.append(_explain_amend(name, event, order))
        elif event.restriction != RESTRICT_NONE:
            met = _meets(event, order)
            looks.append(
                Explanation(
                    rule=name,
                    passed=met,
                    reason=None if met else Reason.CANCEL_RESTRICTED,
                    limit=_RESTRICTION_NAMES[event.restriction],
                    observed=ORDER_STATUS_NAMES[order.status],
                )
            )
        return tuple(looks)


def _find(event: Any, book: Book) -> OpenOrder | None:
    return book.find_order(
        book.account_of(event.key), event.symbol, event.order_id, event.orig_client_order_id
    )


def _meets(event: Cancel | Replace, order: OpenOrder) -> bool:
    """Return whether the restriction holds as far as the gate can know."""
    if not order.live or (type(event) is REPLACE and event.allow_failure):
        return True
    if event.restriction == RESTRICT_ONLY_NEW:
        return order.filled_e8 == 0
    if event.restriction == RESTRICT_ONLY_PARTIALLY_FILLED:
        return order.filled_e8 > 0
    return True


def _amends(event: Amend, order: OpenOrder) -> bool:
    quantity_e8 = event.quantity_e8
    if quantity_e8 and quantity_e8 <= order.filled_e8:
        return False
    if event.keep_priority:
        return 0 < quantity_e8 < order.quantity_e8 and event.price_e8 in (0, order.price_e8)
    return (quantity_e8 not in (0, order.quantity_e8)) or (
        event.price_e8 not in (0, order.price_e8)
    )


def _explain_amend(name: str, event: Amend, order: OpenOrder) -> Explanation:
    quantity_e8 = event.quantity_e8 or order.quantity_e8
    passed = _amends(event, order)
    if passed or quantity_e8 <= order.filled_e8:
        limit_e8, detail = order.filled_e8, "filled quantity"
    elif event.keep_priority:
        limit_e8, detail = order.quantity_e8, "only a smaller quantity keeps priority"
    else:
        limit_e8, detail = order.quantity_e8, "nothing would change"
    return look(name, passed, Reason.AMEND_NOT_REDUCING, limit_e8, quantity_e8, detail)
