"""Rows of the flat tables, made from records one after the other."""

from collections.abc import Collection
from typing import Final

from gateway.journal import Record, Run
from gateway.logview.decision_rows import decision_row, order_flags
from gateway.logview.masking import Mask, MaskedNames
from gateway.logview.orders import Execution, Order, Orders
from gateway.logview.query import Scan
from gateway.logview.sources import Source
from gateway.logview.subjects import Subject
from gateway.logview.tables import BREACHES, DECISIONS, ORDERS, TABLES, TRADES, Row
from rules import values
from rules.decisions import Breach
from rules.events import MarketTrade, TradeBust

_FILL_COLUMNS: Final = 11
"""Columns of `trades` that only fills have."""


class Rows:
    """Makes rows; `tables` holds those not yet taken away, by the table's name.

    `begin` is called before each run's first record.
    """

    def __init__(self, wanted: Collection[str] = tuple(TABLES), mask: Mask | None = None) -> None:
        self.tables: dict[str, list[Row]] = {name: [] for name in TABLES if name in wanted}
        self.mask = mask or Mask()
        self._decisions = self.tables.get(DECISIONS.name)
        self._breaches = self.tables.get(BREACHES.name)
        self._ended = self.tables.get(ORDERS.name)
        self._trades = self.tables.get(TRADES.name)
        self.orders = Orders(self._order)

    def begin(self, source: Source, run: Run, scan: Scan) -> None:
        """Begin with the records of a run of a source."""
        self.orders.begin(scan.start, lambda seq: source.origin(run, seq))
        self._run = run.manifest.run_id
        self._source = source
        self._names = MaskedNames(scan.subjects.directory, self.mask)
        self._ids = source.ids(run)

    def take(self, record: Record, subject: Subject | None) -> None:
        """Make the rows of the next record; without a subject it is only followed."""
        if self._ended is None and self._trades is None:
            if subject is not None:
                self._record(record, subject)
            return
        if subject is None:
            self.orders.follow(record, self._run)
            return
        self._want(subject)
        for execution in self.orders.follow(record, self._run):
            self._fill(record, subject, execution)
        self._want(subject)
        if isinstance(record.event, TradeBust | MarketTrade):
            self._trade(record, record.event)
        self._record(record, subject)

    def finish(self) -> None:
        """Make the rows of the orders that are still open."""
        for order in list(self.orders.open.values()):
            self._order(order)
        self.orders.open.clear()

    def _want(self, subject: Subject) -> None:
        for order_id in subject.order_ids:
            if (order := self.orders.open.get(order_id)) is not None:
                order.wanted = True

    def _record(self, record: Record, subject: Subject) -> None:
        if self._decisions is not None:
            self._decisions.append(decision_row(self._run, record, subject, self._names, self._ids))
        decision = record.decision
        if self._breaches is not None and (decision.breaches or decision.shadows):
            for mode, breaches in (("enforce", decision.breaches), ("shadow", decision.shadows)):
                for position, breach in enumerate(breaches):
                    self._breaches.append(self._breach(record, subject, mode, position, breach))

    def _breach(
        self, record: Record, subject: Subject, mode: str, position: int, breach: Breach
    ) -> Row:
        names = self._names
        return (
            self._run,
            record.seq,
            record.now_ns,
            position,
            mode,
            breach.rule,
            breach.reason.name,
            int(breach.reason),
            names.measure(breach.limit),
            names.measure(breach.observed),
            breach.retry_ns or None,
            breach.window_ns or None,
            values.SCOPE_NAMES[breach.scope] or None,
            self._subject(breach),
            names.account(subject.accounts[0]) if subject.accounts else None,
            names.owner(subject.owners[0]) if subject.owners else None,
            names.symbol(subject.symbols[0]) if subject.symbols else None,
            names.field(breach, "detail") or None,
        )

    def _subject(self, breach: Breach) -> str | None:
        found = self._names.subject(breach.scope, breach.subject)
        return None if found is None else str(found)

    def _order(self, order: Order) -> None:
        """Make the row of an order that has ended, or that is open at the end."""
        if self._ended is None or not order.wanted:
            return
        names = self._names
        ids = self._source.ids_of(order.run) if order.run else None
        self._ended.append(
            (
                order.run or None,
                order.order_id,
                order.seq,
                ids.encode(order.seq) if ids is not None else None,
                order.placed_ns,
                names.account(order.account),
                names.owner(order.owner),
                names.key(order.key),
                names.address(order.address),
                names.symbol(order.symbol),
                names.client_order_id(order.client_order_id) or None,
                values.SIDE_NAMES[order.side] or None,
                values.ORDER_TYPE_NAMES[order.order_type] or None,
                values.TIME_IN_FORCE_NAMES[order.time_in_force] or None,
                order.price_e8 or None,
                order.quantity_e8 or None,
                order.quote_quantity_e8 or None,
                order_flags(order.flags),
                names.interned(values.DEFINE_ALGO, order.algo),
                order.bid_e8 or None,
                order.ask_e8 or None,
                order.accepted_ns or None,
                order.first_fill_ns or None,
                order.ended_ns or None,
                values.ORDER_STATUS_NAMES[order.status] or None,
                order.unknown,
                values.CAUSE_NAMES[order.cause] or None,
                order.reason.name if order.reason is not None else None,
                order.filled_e8,
                order.filled_quote_e8,
                order.fills,
                order.amends,
                order.last_price_e8 or None,
                order.last_quantity_e8 or None,
            )
        )

    def _fill(self, record: Record, subject: Subject, execution: Execution) -> None:
        if self._trades is None:
            return
        names, order, fill = self._names, execution.order, execution.fill
        symbol = order.symbol if order is not None else next(iter(subject.symbols), 0)
        self._trades.append(
            (
                self._run,
                record.seq,
                record.now_ns,
                "fill",
                execution.engine_ns or None,
                fill.trade_id,
                names.symbol(symbol),
                fill.price_e8,
                fill.quantity_e8,
                fill.quote_e8,
                execution.order_id,
                (names.client_order_id(order.client_order_id) or None) if order else None,
                names.account(order.account) if order else None,
                names.owner(order.owner) if order else None,
                (values.SIDE_NAMES[order.side] or None) if order else None,
                fill.maker,
                fill.commission_e8,
                names.interned(values.DEFINE_ASSET, fill.commission_asset),
                fill.counter_order_id or None,
                names.account(fill.counter_account),
                None,
                None,
                None,
                None,
            )
        )

    def _trade(self, record: Record, event: TradeBust | MarketTrade) -> None:
        if self._trades is None:
            return
        names = self._names
        bust = isinstance(event, TradeBust)
        if isinstance(event, TradeBust):
            buyer, seller = names.account(event.buy_account), names.account(event.sell_account)
        else:
            buyer, seller = names.owner(event.buy_owner), names.owner(event.sell_owner)
        self._trades.append(
            (
                self._run,
                record.seq,
                record.now_ns,
                "bust" if bust else "market",
                event.engine_ns or None,
                event.trade_id,
                names.symbol(event.symbol),
                event.price_e8,
                event.quantity_e8,
                *(None,) * _FILL_COLUMNS,
                event.buy_order_id or None,
                event.sell_order_id or None,
                buyer,
                seller,
            )
        )
