"""Views: answers to queries, from engine reports and the unrecorded market-data subscription.

Views are bounded and are never read by a rule. They show what the record already holds: the core
calls `Views.on_record` for each event after it was recorded.
"""

from gateway.engine.port import EnginePort
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

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take up one event that was decided and recorded."""
        if isinstance(event, DefineSymbol):
            self.klines.define(event, now_ns)
        else:
            self.orders.on_record(seq, now_ns, event, decision)


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
