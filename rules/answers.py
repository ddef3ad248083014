"""What one of the engine's answers is about, found out once for all rules."""

from typing import Final

from rules.events import CommandResult
from rules.open_orders import OpenOrder
from rules.values import LIVE_STATUSES

ALL_RESULTS: Final = 0
"""What a rule says that is told of every result; the others may be joined."""
WITH_FILLS: Final = 1
"""Reports executions."""
WITH_ENDED: Final = 2
"""Orders have ended with it."""
WITH_ENTERED: Final = 4
"""Confirms an order as newly entered."""
WITH_CHANGED: Final = 8
"""Confirms an order as amended."""
WITH_OTHER: Final = 16
"""Is not the plain confirmation of an order that lives on."""
ALL_REPORTED: Final = WITH_FILLS | WITH_ENDED | WITH_ENTERED | WITH_CHANGED | WITH_OTHER


class Answer:
    """The answer being applied, and the order it is about."""

    __slots__ = ("changed", "entered", "result")

    def __init__(self) -> None:
        self.result: CommandResult | None = None
        """None while no answer is being applied."""
        self.entered: OpenOrder | None = None
        """The order it confirms as newly entered."""
        self.changed: OpenOrder | None = None
        """The order it confirms as amended."""

    def take(
        self, result: CommandResult, orders: dict[int, OpenOrder], ended: dict[int, OpenOrder]
    ) -> int:
        """Look at a result that the book has been settled with; return what it reports.

        `orders` are those open now, `ended` those that ended with it.
        """
        self.result = result
        self.entered = self.changed = None
        reported = WITH_FILLS if result.fills else 0
        if ended or result.ended:
            reported |= WITH_ENDED
        if result.unknown or not result.accepted:
            return reported | WITH_OTHER
        if result.replaced_refusal is not None or result.status not in LIVE_STATUSES:
            reported |= WITH_OTHER
        order_id = result.order_id
        order = orders.get(order_id)
        if order is None:
            order = ended.get(order_id)
            if order is None:
                return reported
        if order.command_id == result.command_id:
            if result.replaced_refusal is None:
                self.entered = order
                reported |= WITH_ENTERED
        elif not result.ended:
            # An accepted command about an order that entered none and ended none.
            self.changed = order
            reported |= WITH_CHANGED
        return reported
