"""What an open order must hold: as it stands, and as any amend in flight would leave it."""

from collections.abc import Iterable

from rules.book import OpenOrder
from rules.pending import PendingCommand
from rules.values import BUY, notional_up_e8


class Holds:
    """Reservations of orders, with the amends the engine has not answered.

    Each of several amends in flight may still be carried out, so an order holds what the dearest
    of them needs until the last has been answered or the order has ended.
    """

    __slots__ = ("_amends",)

    def __init__(self) -> None:
        self._amends: dict[int, dict[int, PendingCommand]] = {}
        """By order id and command id."""

    def expect(self, command_id: int, amend: PendingCommand) -> None:
        """Count an amend that was sent."""
        self._amends.setdefault(amend.order_ids[0], {})[command_id] = amend

    def answered(self, order_id: int, command_id: int) -> None:
        """Leave an amend out that the engine has answered."""
        amends = self._amends.get(order_id)
        if amends is not None:
            amends.pop(command_id, None)
            if not amends:
                del self._amends[order_id]

    def ended(self, order_id: int) -> Iterable[int]:
        """Forget the amends of an order that has ended; return their command ids."""
        return self._amends.pop(order_id, ())

    def needs_e8(self, order: OpenOrder, spent_e8: int = 0) -> int:
        """Return what the rest of an order could still spend; `spent_e8` was spent just now.

        An order given by its quote amount never rests, so no amend of it is carried out.
        """
        needs_e8 = _needs_e8(order, order.quantity_e8, order.price_e8, spent_e8)
        amends = self._amends.get(order.order_id)
        if amends is not None and order.quantity_e8:
            for amend in amends.values():
                needs_e8 = max(needs_e8, _needs_e8(order, amend.quantity_e8, amend.price_e8, 0))
        return needs_e8


def _needs_e8(order: OpenOrder, quantity_e8: int, price_e8: int, spent_e8: int) -> int:
    """Return what the rest of an order could still spend, at a quantity and price."""
    if quantity_e8 == 0:
        return max(order.reserved_e8 - spent_e8, 0)
    rest_e8 = max(quantity_e8 - order.filled_e8, 0)
    if order.side != BUY:
        return rest_e8
    worst_e8 = price_e8 or order.price_limit_e8
    if worst_e8 == 0:
        return max(order.reserved_e8 - spent_e8, 0)
    return notional_up_e8(worst_e8, rest_e8)
