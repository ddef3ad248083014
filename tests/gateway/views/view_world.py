"""A core for the views to look at: a real book and directory, and a clock set by hand."""

from gateway.directory import Directory
from gateway.engine.port import DepthSnapshot, PublicTrade
from rules.book import Book, SymbolFacts
from rules.clauses import InstrumentClause
from rules.events import Define, DefineSymbol, Event
from rules.instruments import Filters
from rules.values import DEFINE_ASSET, E8, SYMBOL_TRADING

SYMBOL = 1
BASE = 1
QUOTE = 2
START_E8 = 65_000 * E8
TICK_E8 = E8 // 100
STEP_E8 = E8 // 100_000


class ViewWorld:
    """Stands for core and engine: holds what views read of them."""

    def __init__(self, now_ns: int = 1_780_000_000_123_456_789, start_e8: int = START_E8) -> None:
        self.time_ns = now_ns
        self.book = Book()
        self.directory = Directory(self.submit)
        self.bids: tuple[tuple[int, int], ...] = ()
        self.asks: tuple[tuple[int, int], ...] = ()
        for number, name in ((BASE, "BTC"), (QUOTE, "USDT")):
            self.submit(Define(DEFINE_ASSET, number, name))
        self.definition = DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, start_e8)
        filters = Filters(InstrumentClause(tick_size="0.01", step_size="0.00001"))
        facts = SymbolFacts(SYMBOL, "BTCUSDT", BASE, QUOTE, filters)
        facts.previous_close_e8 = start_e8
        self.book.symbols[SYMBOL] = facts
        self.submit(self.definition)

    def now_ns(self) -> int:
        """Return the time that was set."""
        return self.time_ns

    def submit(self, event: Event) -> None:
        """Take a definition."""
        self.directory.on_event(event)

    def depth(self, symbol: int, levels: int) -> DepthSnapshot:
        """Return the depth that was set."""
        return DepthSnapshot(symbol, 1, self.time_ns, self.bids[:levels], self.asks[:levels])

    def public_trade(
        self, trade_id: int, price_e8: int, quantity_e8: int, buyer_is_maker: bool = False
    ) -> PublicTrade:
        """Return a trade at the present time."""
        quote_e8 = price_e8 * quantity_e8 // E8
        return PublicTrade(
            SYMBOL, trade_id, price_e8, quantity_e8, quote_e8, self.time_ns, buyer_is_maker
        )
