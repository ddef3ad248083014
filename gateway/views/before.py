"""Orders and trades of the run before, seen while its record is followed."""

from gateway.directory import Directory
from gateway.journal import Record
from gateway.replica import Replica
from gateway.views.orders import OrdersView
from gateway.views.trades import TradesView
from rules.book import Book


class _Followed:
    """A replica as views see a core."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def book(self) -> Book:
        """The facts of the pipeline."""
        return self._replica.pipeline.book

    @property
    def directory(self) -> Directory:
        """Names of assets, symbols and accounts."""
        return self._replica.directory

    def now_ns(self) -> int:
        """Return the time of the last record."""
        return self._replica.now_ns


class ViewsBefore:
    """What queries can be answered with after a restart: `orders` and `trades`, None before.

    Open orders are complete. Closed orders and trades go back to the snapshot the recovery began
    with; older ones are in the record.
    """

    def __init__(self) -> None:
        self.views: tuple[OrdersView, TradesView] | None = None

    def begin(self, replica: Replica) -> None:
        """Begin with the orders open in a replica."""
        trades = TradesView()
        orders = OrdersView(_Followed(replica), trades)
        orders.take_over(replica.pipeline.book)
        self.views = orders, trades

    def on_record(self, replica: Replica, record: Record) -> None:
        """Take up one record the replica has followed."""
        assert self.views is not None
        self.views[0].on_record(record.seq, record.now_ns, record.event, record.decision)
