"""Orders of a recording that came by another channel than the gate: told as a drop copy only."""

from typing import Final, NamedTuple

from gateway.flows.offline import Member, OfflineGate
from gateway.flows.reader import FLAG_MAKER, ROW_CANCEL, FlowRow
from rules.values import (
    BUY,
    CANCELED,
    CHANNEL_APP,
    CHANNEL_DESK,
    CHANNEL_WEB,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
)

OUTSIDE_CHANNELS: Final = frozenset((CHANNEL_WEB, CHANNEL_APP, CHANNEL_DESK))
_NUMBERS_FROM: Final = 1 << 40
"""Outside orders are numbered from here on, so that no order of the gate has the number."""


class Side(NamedTuple):
    """One side of a trade as the drop copy names it."""

    order: int
    owner: int
    channel: int
    """0 for an order that came through the gate."""


class _Order:
    """An order of another channel as far as the recording has shown it."""

    __slots__ = ("channel", "filled_e8", "member", "number", "price_e8", "side", "total_e8")

    def __init__(self, number: int, member: Member, row: FlowRow, total_e8: int) -> None:
        self.number = number
        self.member = member
        self.channel = row.channel
        self.side = row.side
        self.price_e8 = row.price_e8
        self.total_e8 = total_e8
        self.filled_e8 = 0


class OutsideOrders:
    """Follows the orders of other channels of one recording."""

    def __init__(self, gate: OfflineGate) -> None:
        self._gate = gate
        self._orders: dict[tuple[str, str], _Order] = {}
        self._count = 0

    def has(self, row: FlowRow) -> bool:
        """Tell whether a row is about an order of another channel."""
        return (row.symbol, row.order_id) in self._orders

    def place(self, row: FlowRow, member: Member, symbol: int, total_e8: int) -> None:
        """Report a new order."""
        self._count += 1
        order = _Order(_NUMBERS_FROM + self._count, member, row, total_e8)
        self._orders[row.symbol, row.order_id] = order
        self._gate.shown(symbol, order.side, order.price_e8, total_e8)
        self._report(order, symbol, NEW)

    def change(self, row: FlowRow, symbol: int, total_e8: int) -> None:
        """Report the end or a change of an order."""
        order = self._orders[row.symbol, row.order_id]
        self._gate.shown(symbol, order.side, order.price_e8, order.filled_e8 - order.total_e8)
        if row.kind == ROW_CANCEL:
            del self._orders[row.symbol, row.order_id]
            self._report(order, symbol, CANCELED)
            return
        order.price_e8 = row.price_e8 or order.price_e8
        order.total_e8 = total_e8 or order.total_e8
        self._gate.shown(symbol, order.side, order.price_e8, order.total_e8 - order.filled_e8)
        self._report(order, symbol, PARTIALLY_FILLED if order.filled_e8 else NEW)

    def filled(self, row: FlowRow, symbol: int) -> None:
        """Report the state of an order after an execution."""
        order = self._orders[row.symbol, row.order_id]
        order.filled_e8 += row.quantity_e8
        if row.flag == FLAG_MAKER:
            self._gate.shown(symbol, order.side, order.price_e8, -row.quantity_e8)
        done = order.filled_e8 >= order.total_e8
        if done:
            del self._orders[row.symbol, row.order_id]
        self._report(order, symbol, FILLED if done else PARTIALLY_FILLED)

    def side(self, row: FlowRow) -> Side:
        """Return one side of a trade."""
        order = self._orders[row.symbol, row.order_id]
        return Side(order.number, order.member.owner, order.channel)

    def _report(self, order: _Order, symbol: int, status: int) -> None:
        terms = (order.side, status, order.price_e8, order.total_e8, order.filled_e8)
        self._gate.outside_order(order.number, order.member, symbol, terms, order.channel)


def trade_sides(side: int, own: Side, other: Side) -> tuple[Side, Side]:
    """Return buyer and seller, given the side of `own`."""
    return (own, other) if side == BUY else (other, own)
