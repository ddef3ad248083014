"""The orders of one account that are kept."""

from collections import deque
from itertools import chain
from operator import attrgetter
from typing import Final

from gateway.views.order_view import OrderView

_ORDER_ID: Final = attrgetter("order_id")


class AccountOrders:
    """Open and closed orders of one account; only the view of all orders writes them."""

    __slots__ = ("by_name", "closed", "open")

    def __init__(self) -> None:
        self.open: dict[int, OrderView] = {}
        self.closed: deque[OrderView] | None = None
        """In the order in which they closed; None before the first."""
        self.by_name: dict[str, OrderView] = {}
        """The newest order of each client order id."""

    def open_on(self, symbol: int) -> list[OrderView]:
        """Return the open orders on one symbol or (0) on all, oldest first."""
        return [view for view in self.open.values() if not symbol or view.symbol == symbol]

    def close(self, view: OrderView) -> int:
        """Take an order for closed; return how many closed ones are kept now."""
        del self.open[view.order_id]
        if self.closed is None:
            self.closed = deque()
        self.closed.append(view)
        return len(self.closed)

    def drop_oldest_closed(self) -> OrderView:
        """Keep the order that closed first no longer and return it; there must be one."""
        assert self.closed is not None, "no order of the account has closed"
        return self.closed.popleft()

    def history(
        self, symbol: int, from_order_id: int, start_ns: int, end_ns: int, limit: int
    ) -> list[OrderView]:
        """Return up to `limit` orders on a symbol, as `OrdersView.all`."""
        found = [
            view
            for view in chain(self.closed or (), self.open.values())
            if view.symbol == symbol
            and view.order_id >= from_order_id
            and view.time_ns >= start_ns
            and (not end_ns or view.time_ns <= end_ns)
        ]
        found.sort(key=_ORDER_ID)
        if from_order_id or start_ns:
            return found[:limit]
        return found[-limit:] if limit else []
