"""A core without rules: it keeps the book from the engine's own answers and accepts everything.

The demo's participants are tested on it, so that what they do is told apart from what the rules
make of it.
"""

from collections import deque

from gateway.directory import Directory
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.port import CancelCommand, PlaceCommand
from gateway.rulebooks import load_rulebook
from gateway.stub.exchange import MatchingExchange
from rules.book import AccountFacts, Balance, Book, KeyFacts, OpenOrder, SymbolFacts
from rules.clauses import InstrumentClause
from rules.events import (
    BalanceAdjusted,
    Cancel,
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    OrderEnded,
    OrderTrade,
    Place,
    Reference,
)
from rules.instruments import Filters
from rules.values import CAUSE_CLIENT, LIVE_STATUSES, NS_PER_SECOND, STP_NONE

FILTERS = {
    "BTCUSDT": InstrumentClause(
        tick_size="0.01", step_size="0.00001", min_quantity="0.00001", notional_min="5"
    ),
    "ETHUSDT": InstrumentClause(
        tick_size="0.01", step_size="0.0001", min_quantity="0.0001", notional_min="5"
    ),
    "ETHBTC": InstrumentClause(
        tick_size="0.00001", step_size="0.0001", min_quantity="0.0001", notional_min="0.0001"
    ),
}


class StraightCore:
    """Engine, book and directory behind one door; `requests` are (time, event) as they came."""

    def __init__(self) -> None:
        self.clock_ns = 1_700_000_000 * NS_PER_SECOND
        self.book = Book()
        self.rulebook = load_rulebook()
        self.engine = EmbeddedEngine(MatchingExchange(), self.now_ns)
        self.directory = Directory(self.submit)
        self.requests = []
        self.results = []
        self.references = []
        self.trades = []
        self._queue = deque()
        self._draining = False
        self.engine.start(self.submit, self)

    def now_ns(self) -> int:
        """Return the time set by hand."""
        return self.clock_ns

    def on_trade(self, trade) -> None:
        """Keep a public trade."""
        self.trades.append(trade)

    def on_depth(self, depth) -> None:
        """Pass over depth."""

    def submit(self, event, reply=None) -> None:
        """Enqueue one event; the outermost call works the queue off."""
        self._queue.append(event)
        if self._draining:
            return
        self._draining = True
        while self._queue:
            self._apply(self._queue.popleft())
        self._draining = False

    def _apply(self, event) -> None:
        book = self.book
        self.directory.on_event(event)
        if isinstance(event, DefineSymbol):
            facts = SymbolFacts(
                event.symbol,
                event.name,
                event.base_asset,
                event.quote_asset,
                Filters(FILTERS[event.name]),
            )
            book.symbols[event.symbol] = facts
        elif isinstance(event, DefineAccount):
            book.accounts[event.account] = AccountFacts(
                event.account, event.name, event.owner, event.tier, event.flags, event.enabled
            )
        elif isinstance(event, DefineKey):
            book.keys[event.key] = KeyFacts(
                event.key, event.name, event.account, event.permissions, frozenset(), 0, True
            )
        elif isinstance(event, BalanceAdjusted):
            balance = book.balances.setdefault((event.account, event.asset), Balance())
            balance.total_e8 += event.delta_e8
        elif isinstance(event, Place):
            self._place(event)
        elif isinstance(event, Cancel):
            self.requests.append((self.clock_ns, event))
            self.engine.send(CancelCommand(len(self.requests), (event.order_id,), CAUSE_CLIENT))
        elif isinstance(event, CommandResult):
            self._result(event)
        elif isinstance(event, OrderTrade | OrderEnded):
            if event.status not in LIVE_STATUSES:
                self._drop(event.order_id)
        elif isinstance(event, Reference):
            self.references.append(event)
            facts = book.symbols[event.symbol]
            facts.bid_e8, facts.ask_e8, facts.last_e8 = event.bid_e8, event.ask_e8, event.last_e8

    def _place(self, event: Place) -> None:
        book = self.book
        order_id = book.next_order_id
        book.next_order_id += 1
        self.requests.append((self.clock_ns, event))
        command_id = len(self.requests)
        account = book.keys[event.key].account
        order = OpenOrder(
            order_id,
            command_id,
            account,
            account,
            event.key,
            0,
            event.symbol,
            event.side,
            event.order_type,
            event.time_in_force,
            event.price_e8,
            event.quantity_e8,
            0,
            0,
            "",
            event.flags,
            event.algo,
            self.clock_ns,
        )
        book.add_order(order)
        self.engine.send(
            PlaceCommand(
                command_id,
                order_id,
                account,
                event.symbol,
                event.side,
                event.order_type,
                event.time_in_force,
                event.price_e8,
                event.quantity_e8,
                event.quote_quantity_e8,
                0,
                STP_NONE,
                "",
            )
        )

    def _result(self, result: CommandResult) -> None:
        self.results.append(result)
        for ended in result.ended:
            self._drop(ended.order_id)
        order = self.book.orders.get(result.order_id)
        if order is None:
            return
        if not result.accepted or result.status not in LIVE_STATUSES:
            self._drop(order.order_id)
            return
        order.status = result.status
        order.live_ns = self.clock_ns

    def _drop(self, order_id: int) -> None:
        order = self.book.orders.get(order_id)
        if order is not None:
            self.book.end_order(order)
