"""One order as a client sees it."""

import msgspec

from rules.book import Book, OpenOrder
from rules.decisions import Decision
from rules.events import Place, Replace
from rules.values import LIVE_STATUSES, PENDING_CANCEL, PENDING_NEW


class OrderView(msgspec.Struct, array_like=True, gc=False):
    """One order as a client sees it; only the view writes it, and edge processes get it as it is."""

    order_id: int
    client_order_id: str
    account: int
    symbol: int
    side: int
    order_type: int
    time_in_force: int
    """0 for MARKET and LIMIT_MAKER."""
    price_e8: int
    quantity_e8: int
    """As ordered or amended; what self-trade prevention took off stays in it.

    For an order given by its quote amount: what was executed, once it has ended.
    """
    quote_quantity_e8: int
    time_ns: int
    """When the engine took it; before that, when the gate accepted it."""
    update_ns: int
    """The last change."""
    key: int = 0
    stp_mode: int = 0
    flags: int = 0
    stop_price_e8: int = 0
    iceberg_quantity_e8: int = 0
    strategy_id: int = 0
    strategy_type: int = 0
    status: int = PENDING_NEW
    executed_e8: int = 0
    quote_executed_e8: int = 0
    working_ns: int = 0
    """When it went on the book or was executed first, 0 before."""
    prevented_e8: int = 0
    """Quantity taken off by self-trade prevention."""
    fills: int = 0
    """Number of executions."""
    cause: int = 0
    """Why it ended without being filled (`CAUSE_*`), 0 when it was filled or is open."""
    unknown: bool = False
    """The engine did not answer in time."""
    pending_cancel: bool = False
    """A cancel is held until the order is old enough."""

    @property
    def shown_status(self) -> int:
        """The status as clients are told it."""
        return PENDING_CANCEL if self.pending_cancel and self.open else self.status

    @property
    def open(self) -> bool:
        """Whether it can still be executed, as far as the gate knows."""
        return self.status in LIVE_STATUSES


def view_of_request(
    event: Place | Replace, decision: Decision, now_ns: int, book: Book
) -> OrderView:
    """Return the view of an order that was accepted just now."""
    return OrderView(
        decision.order_id,
        event.client_order_id or decision.client_order_id,
        decision.account,
        event.symbol,
        event.side,
        event.order_type,
        event.time_in_force,
        event.price_e8,
        event.quantity_e8,
        event.quote_quantity_e8,
        now_ns,
        now_ns,
        event.key,
        event.stp_mode or book.symbols[event.symbol].filters.default_stp_mode,
        event.flags,
    )


def view_of(order: OpenOrder, book: Book) -> OrderView:
    """Return the view of an open order as far as the book knows it."""
    return OrderView(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account=order.account,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        price_e8=order.price_e8,
        quantity_e8=order.quantity_e8,
        quote_quantity_e8=order.quote_quantity_e8,
        time_ns=order.accepted_ns,
        update_ns=order.live_ns or order.accepted_ns,
        key=order.key,
        stp_mode=book.symbols[order.symbol].filters.default_stp_mode,
        flags=order.flags,
        status=order.status,
        executed_e8=order.filled_e8,
        quote_executed_e8=order.quote_filled_e8,
        working_ns=order.live_ns,
        fills=1 if order.filled_e8 else 0,
        unknown=order.unknown,
        pending_cancel=order.order_id in book.deferred,
    )
