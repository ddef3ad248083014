"""Views: answers to queries, from engine reports and the unrecorded market-data subscription.

Views are bounded and are never read by a rule. They show what the record already holds: the core
tells `Views.listeners` of events after they were recorded.
"""

from typing import Any

from gateway.engine.port import EnginePort
from gateway.listeners import Listener, Listeners
from gateway.views.balances import BalancesView
from gateway.views.kline import Kline
from gateway.views.klines import KlinesView
from gateway.views.market import AggregateTrade, MarketView, Ticker
from gateway.views.order_view import OrderView
from gateway.views.orders import OrdersView
from gateway.views.source import ViewedCore
from gateway.views.trades import AccountTrade, TradesView
from rules.decisions import Decision
from rules.events import DefineSymbol, Event


class Views:
    """All views of one gate.

    `market` is the listener to hand to `EnginePort.start`. With `seed_history` each symbol starts
    with generated candles up to its starting price (`gateway.views.history`).
    """

    def __init__(
        self,
        core: ViewedCore,
        engine: EnginePort,
        seed_history: bool = True,
        before: "tuple[OrdersView, TradesView] | None" = None,
    ) -> None:
        """Begin with what was seen `before`, in the run that is continued."""
        self.orders, self.trades = before or _nothing_before(core)
        self.orders.follow(core)
        self.balances = BalancesView(core)
        self.klines = KlinesView(core, seed_history)
        self.market = MarketView(core, engine, self.klines)
        self.listeners: dict[type[Event], Listener] = {
            **self.orders.listeners,
            DefineSymbol: self._define,
        }
        """Whom to tell of each type of event; views have nothing to do for the others."""

    def listen_to(self, listeners: Listeners) -> None:
        """Have the views told of what they show."""
        listeners.add_each(self.listeners)

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take up one event that was decided and recorded."""
        listener = self.listeners.get(type(event))
        if listener is not None:
            listener(seq, now_ns, event, decision)

    def _define(self, seq: int, now_ns: int, event: Any, decision: Decision) -> None:
        self.klines.define(event, now_ns)


def _nothing_before(core: ViewedCore) -> tuple[OrdersView, TradesView]:
    trades = TradesView()
    return OrdersView(core, trades), trades


__all__ = [
    "AccountTrade",
    "AggregateTrade",
    "BalancesView",
    "Kline",
    "KlinesView",
    "MarketView",
    "OrderView",
    "OrdersView",
    "Ticker",
    "TradesView",
    "ViewedCore",
    "Views",
]
